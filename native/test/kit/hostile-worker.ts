/** A thread of hostile calls, until it is ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { HostileCaller, type HostileTask } from './hostile-caller.js';

const caller = new HostileCaller(workerData as HostileTask);
for (;;) {
  caller.round();
  parentPort!.postMessage('round');
}
