/** A worker thread of hostile calls. */
import { parentPort, workerData } from 'node:worker_threads';
import { HostileCaller, type HostileTask } from './hostile-caller.js';

const caller = new HostileCaller(workerData as HostileTask);
parentPort!.postMessage('begun');
caller.run();
parentPort!.postMessage('done');
