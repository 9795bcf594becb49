/**
 * A WebSocket server that echoes every message, and pushes one of its own after every third: --port
 * Questions: totals, report (streams as they arrived), messages.
 */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { ProgramControl } from './program-control.js';
import { StreamRecorder } from './stream-recorder.js';

const control = new ProgramControl(['port']);
const recorder = new StreamRecorder();
const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
let messages = 0;

server.on('connection', (socket) => recorder.record(socket));
sockets.on('connection', (socket) => {
  let count = 0;
  socket.on('message', (data, isBinary) => {
    messages += 1;
    count += 1;
    socket.send(data, { binary: isBinary });
    if (count % 3 === 0) socket.send(`pushed by ${process.pid} after ${count}`);
  });
  socket.on('error', () => {});
});

control.on('totals', () => recorder.totals);
control.on('report', () => recorder.report());
control.on('messages', () => messages);
server.listen({ port: control.number('port', 8080), host: '::', backlog: 1024 }, () => control.ready());
