/** A worker for tests: it adds up what it is told, and dies as it is told. */
import { WorkerProcess, type WorkerSettings } from '../../src/workers/worker-process.js';

export interface CountingSettings extends WorkerSettings {
  /** Why it cannot start; empty: it can. */
  readonly failure: string;
  readonly bytes: Uint8Array;
}

let sum = 0;

const worker: WorkerProcess = WorkerProcess.run<CountingSettings>({
  open: async ({ failure, bytes }) => {
    if (failure !== '') throw Object.assign(new Error(failure), { code: 'ERR_USAGE' });
    sum = bytes.reduce((total, byte) => total + byte, 0);
    worker.logger.info('open');
  },
  handlers: {
    add: (count: number) => {
      sum += count;
    },
    sum: () => sum,
    double: async (count: number) => (await worker.link.ask<number>('times', count)) * 1,
    refuse: () => {
      throw new RangeError('no');
    },
    notice: (message: string) => worker.tellShared({ key: 'host', level: 'warn', message }),
    silent: () => new Promise(() => {}),
    exit: (status: number) => process.exit(status),
    fault: () => {
      setImmediate(() => {
        throw new Error('a fault of its own');
      });
    },
  },
  end: async () => {
    worker.logger.info(`ends with ${sum}`);
  },
});
