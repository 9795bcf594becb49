/** A program with two workers, to be killed: their lines of the log, which name their processes, go to standard output. */
import { pino } from 'pino';
import { WorkerPool } from '../../src/workers/worker-pool.js';
import type { CountingSettings } from './counting-worker.js';

const writeLine = (line: string): void => void process.stdout.write(line);

const pool = new WorkerPool({
  module: new URL('./counting-worker.js', import.meta.url),
  workers: 2,
  log: { logger: pino({ level: 'info' }, { write: writeLine }), writeLine },
  settings: (worker): CountingSettings => ({
    program: 'test',
    worker,
    logLevel: 'info',
    failure: '',
    bytes: new Uint8Array(0),
  }),
  handlers: {},
  onUp: () => {},
  onDeath: () => {},
});
await pool.open();
