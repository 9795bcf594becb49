/** A moment of a recording: as a date, or counted from its first packet. */
export type Moment =
  | { readonly kind: 'absolute'; readonly timeUs: number }
  | { readonly kind: 'offset'; readonly offsetUs: number };

/** Microseconds since 1970, for a recording whose first packet was captured at `firstUs`. */
export function momentUs(moment: Moment, firstUs: number): number {
  return moment.kind === 'absolute' ? moment.timeUs : firstUs + moment.offsetUs;
}
