/** Runs every .drill script of this folder. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Drill } from '../kit/drill.js';

const folder = new URL('../../../test/drill/', import.meta.url);

describe('drill', () => {
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith('.drill')) continue;
    const drill = new Drill(readFileSync(new URL(file, folder), 'utf8'));
    it(`${file.replace('.drill', '')}: ${drill.name}`, () => drill.run());
  }
});
