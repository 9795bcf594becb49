/**
 * An HTTP/1.1 server that hashes every connection's stream as it arrives, and can misbehave:
 *   --port --manner --response-bytes --close-after --delay-ms --pause-ms
 * Manners: answer, close (FIN after each answer), reset (at the first octets), silent (reads, never answers), deaf (never reads),
 * other (answers of varying lengths), greeting (speaks first, then echoes one line for each line), pausing (stops reading for --pause-ms
 * in the middle of a request's body), sipping (takes a body piece by piece, with a pause behind each), talkative (writes --response-bytes
 * before it reads anything), half-closing (closes its side at once and goes on reading).
 * Questions: totals, report.
 */
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { ProgramControl } from './program-control.js';
import { StreamRecorder } from './stream-recorder.js';

const control = new ProgramControl(['port', 'manner', 'response-bytes', 'close-after', 'delay-ms', 'pause-ms']);
const recorder = new StreamRecorder();
const manner = control.text('manner', 'answer');
const closeAfter = manner === 'close' ? 1 : control.number('close-after', 0);
const delayMs = control.number('delay-ms', 0);
const pauseMs = control.number('pause-ms', 1);
const body = Buffer.alloc(control.number('response-bytes', 64), 'online and target answer with their own bytes. ');

type Recorded = ReturnType<StreamRecorder['record']>;
const streams = new WeakMap<Socket, Recorded>();

function recorded(socket: Socket): Recorded {
  const stream = recorder.record(socket);
  streams.set(socket, stream);
  socket.on('error', () => {});
  return stream;
}

/** Lengths that differ from request to request, and from the other server's. */
function lengthOf(requests: number): number {
  return manner === 'other' ? (requests * 7919) % 50_000 : body.length;
}

/** Takes the body, in the server's manner. */
function read(request: IncomingMessage): void {
  request.resume();
  const rest = (): void => {
    request.pause();
    setTimeout(() => request.resume(), pauseMs);
  };
  if (manner === 'pausing') request.once('data', rest);
  if (manner === 'sipping') request.on('data', rest);
}

const answer: RequestListener = (request, response) => {
  read(request);
  request.once('end', () => {
    const stream = streams.get(request.socket);
    const requests = stream === undefined ? 0 : ++stream.requests;
    const isLast = closeAfter > 0 && requests >= closeAfter;
    const length = lengthOf(requests);
    const send = (): void => {
      response.writeHead(200, {
        'content-type': 'text/plain',
        'content-length': length,
        ...(isLast ? { connection: 'close' } : {}),
      });
      response.end(length > body.length ? Buffer.alloc(length, 'x') : body.subarray(0, length));
    };
    if (delayMs > 0) setTimeout(send, delayMs);
    else send();
  });
};

function httpServer(): Server {
  const server = createHttpServer(
    {
      ...{ keepAlive: true, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 },
      // Who stops reading leaves what comes to the kernel's buffer.
      ...(manner === 'pausing' || manner === 'sipping' ? { highWaterMark: 1 } : {}),
    },
    answer,
  );
  server.on('connection', (socket: Socket) => {
    socket.setNoDelay(true);
    recorded(socket);
  });
  return server;
}

function rudeServer(): Server {
  return createTcpServer({ allowHalfOpen: manner === 'half-closing' }, (socket) => {
    if (manner === 'deaf') {
      socket.pause();
      socket.on('error', () => {});
      return;
    }
    const stream = recorded(socket);
    if (manner === 'half-closing') socket.end();
    if (manner === 'talkative') {
      socket.pause();
      socket.write(body, () => socket.resume());
    }
    if (manner === 'reset') socket.on('data', () => socket.resetAndDestroy());
    if (manner === 'greeting') {
      socket.setNoDelay(true);
      socket.write(`220 ${process.pid} greets first\r\n`);
      socket.on('data', (chunk: Buffer) => {
        for (const octet of chunk) {
          if (octet !== 0x0a) continue;
          stream.requests += 1;
          socket.write(`250 line ${stream.requests}\r\n`);
        }
      });
    }
  });
}

const server = ['answer', 'close', 'other', 'pausing', 'sipping'].includes(manner) ? httpServer() : rudeServer();
control.on('totals', () => recorder.totals);
control.on('report', () => recorder.report());
server.listen({ port: control.number('port', 8080), host: '::', backlog: 4096 }, () => control.ready());
