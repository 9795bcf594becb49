import { styleText } from 'node:util';

const STYLES: Readonly<Record<string, 'gray' | 'green' | 'yellow' | 'red'>> = {
  trace: 'gray',
  debug: 'gray',
  info: 'green',
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
};
/** Said by the line itself, or the same on every line. */
const HIDDEN_FIELDS: ReadonlySet<string> = new Set(['time', 'level', 'msg', 'program', 'pid', 'err']);

/**
 * One JSON log line as a line for people: time of day, level, message, then the other fields as `name=value`. Control
 * characters are made visible: what peers send must not command the terminal.
 */
export function formatLogLine(json: string, hasColors: boolean): string {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(json) as Record<string, unknown>;
  } catch {
    return printable(json.trimEnd());
  }
  const level = String(fields['level'] ?? 'info');
  const label = level.toUpperCase().padEnd(5);
  const rest = Object.entries(fields)
    .filter(([name]) => !HIDDEN_FIELDS.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
  const error = fields['err'] as { message?: unknown; code?: unknown } | undefined;
  if (error?.message !== undefined && error.message !== fields['msg']) rest.push(`(${String(error.message)})`);
  const text = printable([String(fields['msg'] ?? ''), ...rest].join('  '));
  const time = printable(timeOfDay(String(fields['time'] ?? '')));
  if (!hasColors) return `${time} ${printable(label)} ${text}`;
  // The caller knows the terminal; styleText must not look for itself.
  const options = { validateStream: false } as const;
  return `${styleText('gray', time, options)} ${styleText(STYLES[level] ?? 'green', printable(label), options)} ${text}`;
}

/** The local time of day of an ISO time. */
function timeOfDay(isoTime: string): string {
  const time = new Date(isoTime);
  return Number.isNaN(time.getTime()) ? isoTime : time.toTimeString().slice(0, 8);
}

/** `text` with C0, C1 and DEL characters and bidirectional controls written as `\xNN` or `\uNNNN`. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not pass.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}
