/**
 * An HTTP server that takes its time and keeps a log of it, as servers do: --port --delay-ms-min --delay-ms-max
 * Each request waits for a random time within the bounds.
 * Questions: times -> microseconds from each request to its answer.
 */
import { createServer, type Socket } from 'node:net';
import { ProgramControl } from './program-control.js';

const control = new ProgramControl(['port', 'delay-ms-min', 'delay-ms-max']);
const delayMsMin = control.number('delay-ms-min', 5);
const delayMsMax = control.number('delay-ms-max', 50);

const BODY = 'x'.repeat(1000);
const ANSWER = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const END_OF_REQUEST = '\r\n\r\n';

const times: number[] = [];

function answer(socket: Socket): void {
  const beganMs = performance.now();
  setTimeout(
    () => {
      socket.write(ANSWER);
      times.push(Math.round((performance.now() - beganMs) * 1000));
    },
    delayMsMin + Math.random() * (delayMsMax - delayMsMin),
  );
}

const server = createServer({ noDelay: true }, (socket) => {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('error', () => socket.destroy());
  socket.on('data', (data: string) => {
    text += data;
    for (let end = text.indexOf(END_OF_REQUEST); end >= 0; end = text.indexOf(END_OF_REQUEST)) {
      text = text.slice(end + END_OF_REQUEST.length);
      answer(socket);
    }
  });
});

control.on('times', () => times);
server.listen({ port: control.number('port', 8080), host: '::', backlog: 4096 }, () => control.ready());
