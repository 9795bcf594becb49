import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SessionTrace, TRACE_KIND } from '@trafficcopy/core';
import type { ProgramLog } from '@trafficcopy/runtime';
import { runTrace } from '../../src/trace/run-trace.js';
import { SessionTracer } from '../../src/trace/session-tracer.js';
import { traceSocketPath } from '../../src/trace/trace-place.js';
import { TraceServer } from '../../src/trace/trace-server.js';

type TracedSession = Parameters<SessionTrace['note']>[1];

/** As much of a session as a trace looks at. */
function sessionOf(clientPort: number): TracedSession {
  const captured = { clientAddress: Uint8Array.of(10, 0, 0, 9), clientPort, mapping: { onlinePort: 80 } };
  return { captured, target: { name: '10.0.0.2:8080' }, copy: 0 } as unknown as TracedSession;
}

class Rig {
  readonly directory = mkdtempSync(join(tmpdir(), 'trafficcopy-trace-'));
  readonly trace = new SessionTrace();
  readonly tracer = new SessionTracer({ trace: this.trace });
  readonly logged: string[] = [];
  readonly path = traceSocketPath(this.directory, process.pid);
  server: TraceServer | undefined;

  constructor(context: TestContext) {
    context.after(() => {
      this.server?.close();
      this.tracer.close();
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  async open(stateDirectory = this.directory, failureLevel: 'info' | 'debug' = 'info'): Promise<void> {
    const logger = {
      info: (...parts: unknown[]) => this.logged.push(String(parts.at(-1))),
      debug: () => {},
    } as unknown as ProgramLog['logger'];
    const clock = { nowMs: () => 1000, wallMs: () => Date.UTC(2026, 0, 1, 12, 0, 5) };
    this.server = await TraceServer.open({ stateDirectory, tracer: this.tracer, logger, failureLevel, ...clock });
  }

  note(clientPort: number): void {
    this.trace.nowMs = 1000;
    this.trace.note(TRACE_KIND.finSent, sessionOf(clientPort));
  }

  /** A connection that has said `filter`, and what it gets. */
  async look(filter: string): Promise<{ socket: Socket; text: () => string }> {
    let text = '';
    const socket = connect(this.path);
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    socket.on('error', () => {});
    socket.write(`${filter}\n`);
    await until(() => text.includes('\n') || socket.destroyed);
    return { socket, text: () => text };
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < deadlineMs, 'it never came');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('who sends a filter gets a line for each event that fits; nothing is noted when all have gone', async (context) => {
  const rig = new Rig(context);
  await rig.open();
  assert.equal(rig.trace.isOn, false);
  const one = await rig.look('port=1');
  const all = await rig.look('all');
  assert.equal(rig.trace.isOn, true);
  rig.note(1);
  rig.note(2);
  const line = (port: number): string => `12:00:05.000  10.0.0.9:${port} > :80 > 10.0.0.2:8080  FIN sent\n`;
  await until(() => all.text().endsWith(line(2)) && one.text().endsWith(line(1)));
  assert.equal(one.text(), `ok\n${line(1)}`);
  assert.equal(all.text(), `ok\n${line(1)}${line(2)}`);
  one.socket.destroy();
  all.socket.destroy();
  await until(() => !rig.trace.isOn);
});

test('nobody but the user of the copy can open the socket; it goes with the copy, and after a kill with the next one', async (context) => {
  const rig = new Rig(context);
  // No process has this id.
  const dead = traceSocketPath(rig.directory, 4_194_305);
  writeFileSync(dead, '');
  await rig.open();
  assert.equal(statSync(rig.path).mode & 0o777, 0o600);
  assert.equal(existsSync(dead), false);
  rig.server?.close();
  await until(() => readdirSync(rig.directory).length === 0);
});

test('a filter that makes no sense, and one that never ends, are refused', async (context) => {
  const rig = new Rig(context);
  await rig.open();
  assert.match((await rig.look('colour=red')).text(), /^error: the filter does not fit: expected all, or/);
  assert.match((await rig.look('x'.repeat(5000))).text(), /^error: the filter is too long/);
  assert.equal(rig.trace.isOn, false);
});

test('more than eight look: the ninth is told', async (context) => {
  const rig = new Rig(context);
  await rig.open();
  const sockets = [];
  for (let count = 0; count < 8; count += 1) sockets.push((await rig.look('all')).socket);
  assert.match((await rig.look('all')).text(), /^error: others look already/);
  for (const socket of sockets) socket.destroy();
  await until(() => !rig.trace.isOn);
});

test('who does not read costs a bounded queue: what is beyond is dropped, and said when it reads again', async (context) => {
  const rig = new Rig(context);
  await rig.open();
  const { socket, text } = await rig.look('all');
  socket.pause();
  for (let round = 0; round < 10; round += 1) {
    for (let event = 0; event < 10_000; event += 1) rig.note(1);
    rig.tracer.read();
  }
  socket.resume();
  await until(() => {
    rig.note(2);
    rig.tracer.read();
    return /\(\d+ events dropped: there were more than could be shown\)\n/.test(text());
  });
  socket.destroy();
});

test('where there can be no socket the copy goes on, and says so', async (context) => {
  const rig = new Rig(context);
  const long = join(rig.directory, 'x'.repeat(200));
  await rig.open(long);
  assert.equal(rig.server, undefined);
  const below = '"trafficcopy trace" cannot attach to this copy: no socket below';
  assert.deepEqual(rig.logged.splice(0), [`${below} ${long} (its path would be longer than 107 octets)`]);
  writeFileSync(join(rig.directory, 'file'), '');
  await rig.open(join(rig.directory, 'file'));
  assert.deepEqual(rig.logged.splice(0), [`${below} ${rig.directory}/file (EEXIST)`]);
  await rig.open(join(rig.directory, 'file'), 'debug');
  assert.deepEqual(rig.logged, []);
});

test('trafficcopy trace prints what the copy shows, until the copy ends', async (context) => {
  const rig = new Rig(context);
  await rig.open();
  let printed = '';
  const output = { write: (text: string) => (printed += text), on: () => {}, off: () => {} };
  const config = { stateDirectory: rig.directory, filter: 'all', pid: undefined, durationMs: undefined };
  const ended = runTrace(config, output);
  await until(() => rig.trace.isOn);
  rig.note(3);
  await until(() => printed.includes('FIN sent'));
  rig.server?.close();
  assert.equal(await ended, 0);
  assert.match(printed, /^12:00:05\.000 {2}10\.0\.0\.9:3 > :80 > 10\.0\.0\.2:8080 {2}FIN sent\n$/);
  await assert.rejects(runTrace(config, output), /no copy waits below .*is a copy running, with this --state\?/);
});
