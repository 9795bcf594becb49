import { spawnSync } from 'node:child_process';

type Environment = Readonly<Record<string, string | undefined>>;

/** Programs that show a page which comes by standard input, a screen at a time: man-db's and mandoc's. */
const READERS: readonly (readonly [program: string, words: readonly string[]])[] = [
  ['man', ['-l', '-']],
  ['mandoc', ['-a']],
];
/** What a man that knows no `-l` ends with. */
const STATUS_USAGE = 1;

/** Shows a manual page on the terminal, until its reader has seen enough. False: there is no program for it. */
export function readPage(page: string, env: Environment): boolean {
  return READERS.some(([program, words]) => {
    const { error, status } = spawnSync(program, words, { input: page, env, stdio: ['pipe', 'inherit', 'inherit'] });
    // Who has seen enough leaves before all of it was taken (EPIPE).
    const isMissing = error !== undefined && (error as NodeJS.ErrnoException).code !== 'EPIPE';
    return !isMissing && status !== STATUS_USAGE;
  });
}
