const SECOND_MS = 1000;
const DURATION_PATTERN = /^(?:([0-9]{1,8})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,8})s)?$/;

/** Milliseconds of a duration (`90s`, `30m`, `2h30m`), or undefined when it is none. */
export function parseDuration(text: unknown): number | undefined {
  const match = typeof text === 'string' && text !== '' ? DURATION_PATTERN.exec(text) : null;
  if (match === null) return undefined;
  const [hours, minutes, seconds] = [1, 2, 3].map((group) => Number(match[group] ?? 0));
  return (hours! * 3600 + minutes! * 60 + seconds!) * SECOND_MS;
}
