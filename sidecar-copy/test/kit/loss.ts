/** A packet that is missing in a capture. */
export interface Loss {
  /** "ADDRESS PORT" */
  readonly client: string;
  readonly isSyn: boolean;
  readonly isFin: boolean;
  readonly payload: string;
}
