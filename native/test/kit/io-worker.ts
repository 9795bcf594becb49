/** Runs in a worker thread: opens a ring, a sender and a queue in namespaces, uses them, and leaves them open. */
import { parentPort, workerData } from 'node:worker_threads';
import { PacketRing, RawSender, ResponseQueue } from '../../lib/index.js';
import { batchOf, packet } from './packet-list.js';

interface Task {
  readonly netnsPath: string;
  readonly peerNetnsPath: string;
  readonly queueNumber: number;
  readonly source?: string;
  readonly destination?: string;
  /** Open and start only. */
  readonly isIdle?: boolean;
}

const { netnsPath, peerNetnsPath, queueNumber, source, destination, isIdle } = workerData as Task;
const ring = new PacketRing({
  interfaceName: 'eth0',
  filter: 'tcp',
  blockBytes: 65_536,
  blockCount: 4,
  retireMs: 1,
  netnsPath: peerNetnsPath,
});
const sender = new RawSender({ family: 4, netnsPath });
const queue = new ResponseQueue({ queueNumber, netnsPath });
let responses = 0;
let captured = 0;

function report(): void {
  if (responses === 3 && captured === 2) parentPort!.postMessage({ responses, captured });
}

ring.start(() => {
  while (ring.next()) captured += ring.count;
  report();
});
queue.start(() => {
  while (queue.read()) responses += queue.count;
  report();
});
if (isIdle === true) {
  parentPort!.postMessage('idle');
} else {
  const addresses = { source: source!, destination: destination! };
  sender.send(batchOf([7000, 7001, 7000, 7001, 7000].map((sourcePort) => packet({ ...addresses, sourcePort }))));
}
