/**
 * WebSocket clients: --url --connections --messages. Each sends texts and binaries of growing lengths, several at a time, and
 * waits for every echo. Question: run -> {sent, echoed}.
 */
import { WebSocket } from 'ws';
import { ProgramControl } from './program-control.js';

const AT_ONCE = 4;

const control = new ProgramControl(['url', 'connections', 'messages']);
const url = control.text('url', 'ws://127.0.0.1:8080/');
const messagesEach = control.number('messages', 50);
const totals = { sent: 0, echoed: 0 };

function message(index: number): { data: string | Buffer; binary: boolean } {
  const length = (index * 997) % 70_000;
  return index % 2 === 0
    ? { data: `message ${index} `.padEnd(length, 'w'), binary: false }
    : { data: Buffer.alloc(length, index & 0xff), binary: true };
}

function converse(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    let sent = 0;
    let echoed = 0;
    const fill = (): void => {
      while (sent < messagesEach && sent - echoed < AT_ONCE) {
        const { data, binary } = message(sent);
        socket.send(data, { binary });
        sent += 1;
        totals.sent += 1;
      }
    };
    socket.on('open', fill);
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary && data.toString('latin1', 0, 9) === 'pushed by') return;
      echoed += 1;
      totals.echoed += 1;
      if (echoed === messagesEach) socket.close(1000, 'done');
      else fill();
    });
    socket.on('close', () => resolve());
    socket.on('error', reject);
  });
}

control.on('run', async () => {
  await Promise.all(Array.from({ length: control.number('connections', 4) }, converse));
  return totals;
});
control.ready();
