import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildCommand, StartError, UsageError } from '@trafficcopy/runtime';
import { Argument, type Command } from 'commander';
import type { CommandOutline } from '../command-outline.js';
import { MANUAL_COMMAND } from './manual-flags.js';
import { manualPage, pageName, withPages } from './manual-page.js';
import { readPage } from './manual-reader.js';

/**
 * `trafficcopy manual [COMMAND…]`.
 *
 * @param root the program with all its commands, once they are there
 * @param isTerminal somebody reads what is written
 */
export function manualCommand(
  env: Readonly<Record<string, string | undefined>>,
  root: () => CommandOutline,
  write: (text: string) => unknown,
  isTerminal: boolean,
): Command {
  const command = buildCommand(MANUAL_COMMAND, env, ({ directory }) => {
    const top = root();
    const outlines = withPages(top);
    const date = pageDate(env['SOURCE_DATE_EPOCH']);
    const path = command.args.join(' ');
    const outline = outlines.find((one) => one.path === path);
    if (outline === undefined)
      throw new UsageError(`"${path}" has no page: it is no command, or has a line of help only`);
    if (directory === undefined) {
      const page = manualPage(outline, top, date);
      if (!isTerminal || !readPage(page, env)) write(page);
      return;
    }
    if (path !== '') throw new UsageError('--directory is for the pages of all commands: expected no COMMAND');
    for (const one of outlines) writePage(join(directory, `${pageName(one)}.1`), manualPage(one, top, date));
  });
  return command.addArgument(new Argument('[command...]')).usage('[COMMAND] [flags]');
}

/** Of the sources, where the one who builds says when they were made: a page that is made again is the same. */
function pageDate(sourceDateEpoch: string | undefined): string {
  const timeMs = /^\d{1,11}$/.test(sourceDateEpoch ?? '') ? Number(sourceDateEpoch) * 1000 : Date.now();
  return new Date(timeMs).toISOString().slice(0, 10);
}

function writePage(file: string, page: string): void {
  try {
    writeFileSync(file, page);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartError('ERR_START_MANUAL', `--directory: cannot write ${file} (${code})`, { cause: error });
  }
}
