import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Keeps an input that broke something under the directory of its target, and returns where. The same input has the same place. */
export function keepFailure(directory: string, targetName: string, input: Uint8Array): string {
  const place = path.join(directory, targetName);
  mkdirSync(place, { recursive: true });
  const file = path.join(place, `${createHash('sha256').update(input).digest('hex').slice(0, 12)}.bin`);
  writeFileSync(file, input);
  return file;
}
