/**
 * Runs one of the lab's programs in a pod and lets the test ask it over HTTP, where the lab asks over the IPC channel:
 *   control-server PROGRAM [--SETTING=VALUE ...]
 *   GET  /ask/QUESTION   the program's answer
 *   POST /tell/QUESTION  202; nobody waits for the answer
 * It listens on 9900, and ends when the program does.
 */
import { fork } from 'node:child_process';
import { createServer, type ServerResponse } from 'node:http';

const PORT = 9900;

interface Reply {
  readonly ready?: unknown;
  readonly id?: number;
  readonly answer?: unknown;
  readonly error?: string;
}

const [name = '', ...settings] = process.argv.slice(2);
if (!/^[a-z-]+$/.test(name)) throw new RangeError(`not the name of a program: ${name}`);
const program = fork(new URL(`../lab/programs/${name}.js`, import.meta.url), settings);
const waiting = new Map<number, (reply: Reply) => void>();
let questions = 0;
let isReady = false;

program.on('message', (reply: Reply) => {
  if (reply.ready !== undefined) isReady = true;
  if (reply.id === undefined) return;
  waiting.get(reply.id)?.(reply);
  waiting.delete(reply.id);
});
program.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGTERM' ? 0 : 1)));
process.on('SIGTERM', () => program.kill('SIGTERM'));

function ask(question: string, respond: (reply: Reply) => void): void {
  questions += 1;
  waiting.set(questions, respond);
  program.send({ id: questions, question });
}

function say(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

createServer((request, response) => {
  request.resume();
  const [, verb, question = ''] = (request.url ?? '').split('/');
  if (verb === 'healthz') say(response, isReady ? 200 : 503, { isReady });
  else if (verb === 'tell') {
    ask(question, () => {});
    say(response, 202, {});
  } else if (verb === 'ask') {
    ask(question, (reply) => say(response, reply.error === undefined ? 200 : 500, reply.answer ?? reply.error ?? null));
  } else say(response, 404, `no ${request.url}`);
}).listen(PORT);
