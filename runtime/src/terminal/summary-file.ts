import { WholeFile } from './whole-file.js';

/** The file of `--summary`. */
export class SummaryFile extends WholeFile {
  /** @throws StartError ERR_START_SUMMARY_FILE when the file could not be written there. */
  constructor(path: string) {
    super(path, '--summary', 'ERR_START_SUMMARY_FILE');
  }

  /** Writes `summary` as JSON. @throws the system's error; the earlier file, if any, is then as it was. */
  write(summary: Readonly<Record<string, unknown>>): void {
    this.writeText(`${JSON.stringify(summary, null, 2)}\n`);
  }
}
