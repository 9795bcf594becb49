/**
 * Files that hold keys. Directories are 0700, files 0600; a file appears whole or not at all: it is written beside its place, synced,
 * and moved there.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { StateError } from './state-error.js';

/** Larger files are none of ours. */
const STATE_FILE_BYTES_MAX = 256 * 1024;

/** Makes the directory and its parents, 0700 where they are new. @throws {StateError} ERR_STATE_DIRECTORY */
export async function makeStateDirectory(directory: string): Promise<void> {
  try {
    await makeWithParents(path.resolve(directory));
  } catch (error) {
    throw stateError('ERR_STATE_DIRECTORY', 'make the state directory', directory, error);
  }
}

/** As `mkdir` with `recursive`, which tries for ever below /proc: the kernel says ENOENT there although the parent exists. */
async function makeWithParents(directory: string): Promise<void> {
  const error = await makeDirectory(directory);
  if (error === undefined) return;
  const parent = path.dirname(directory);
  if (error.code !== 'ENOENT' || parent === directory) throw error;
  await makeWithParents(parent);
  const errorWithParent = await makeDirectory(directory);
  if (errorWithParent !== undefined) throw errorWithParent;
}

/** Undefined when the directory is there now. */
async function makeDirectory(directory: string): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await mkdir(directory, { mode: 0o700 });
    return undefined;
  } catch (error) {
    const isThere = await stat(directory).then(
      (status) => status.isDirectory(),
      () => false,
    );
    return isThere ? undefined : (error as NodeJS.ErrnoException);
  }
}

/** The text of a file, or undefined when there is none. @throws {StateError} ERR_STATE_READ */
export async function readStateFile(file: string): Promise<string | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    if (text.length <= STATE_FILE_BYTES_MAX) return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw stateError('ERR_STATE_READ', 'read', file, error);
  }
  throw new StateError('ERR_STATE_READ', `${file} is larger than any file of ours; move it away`);
}

/** Puts `text` at `file`, in place of what was there. @throws {StateError} ERR_STATE_WRITE */
export async function writeStateFile(file: string, text: string): Promise<void> {
  await place(file, text, rename);
}

/** Puts `text` at `file` if nothing is there; false, and nothing changed, when something is. @throws {StateError} ERR_STATE_WRITE */
export async function createStateFile(file: string, text: string): Promise<boolean> {
  try {
    await place(file, text, link);
    return true;
  } catch (error) {
    const cause = error instanceof StateError ? (error.cause as NodeJS.ErrnoException) : undefined;
    if (cause?.code === 'EEXIST') return false;
    throw error;
  }
}

async function place(file: string, text: string, move: (from: string, to: string) => Promise<void>): Promise<void> {
  const directory = path.dirname(file);
  await makeStateDirectory(directory);
  const draft = path.join(directory, `.${path.basename(file)}.${randomBytes(6).toString('hex')}`);
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await move(draft, file);
    const parent = await open(directory, 'r');
    await parent.sync().finally(() => parent.close());
  } catch (error) {
    throw stateError('ERR_STATE_WRITE', 'write', file, error);
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
}

function stateError(code: `ERR_STATE_${string}`, verb: string, file: string, error: unknown): StateError {
  const cause = error as NodeJS.ErrnoException;
  const hint =
    cause.code === 'EACCES' || cause.code === 'EPERM' || cause.code === 'EROFS'
      ? 'run as a user who may, or choose another directory with --state'
      : cause.code === 'ENOSPC'
        ? 'the disk is full'
        : 'choose another directory with --state';
  return new StateError(code, `cannot ${verb} ${file}: ${cause.message}; ${hint}`, { cause });
}
