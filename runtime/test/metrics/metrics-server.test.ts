import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { MetricsServer, StartError } from '../../src/index.js';
import { ProgramMetrics } from '../../src/metrics/program-metrics.js';

describe('the metrics server', () => {
  const lost = { noResponse: 2, shed: 0 };
  let sessions = 5;
  let reason: string | undefined = 'the channel is down';
  const metrics = new ProgramMetrics()
    .counter('trafficcopy_turns_delivered_total', 'Delivered', () => 7)
    .counters('trafficcopy_turns_lost_total', 'Lost', 'reason', () => lost)
    .gauge('trafficcopy_sessions_open', 'Open', () => sessions)
    .addProcess();
  const server = new MetricsServer({
    address: { host: '127.0.0.1', port: 0 },
    registry: metrics.registry,
    readiness: () => reason,
  });
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`http://127.0.0.1:${server.port}${path}`, init);
  before(() => server.listen());
  after(() => server.close());

  it('/metrics has the figures of this moment in the text format of Prometheus', async () => {
    const first = await get('/metrics');
    assert.match(first.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const text = await first.text();
    assert.match(text, /^# TYPE trafficcopy_turns_delivered_total counter\ntrafficcopy_turns_delivered_total 7$/m);
    assert.match(text, /^trafficcopy_turns_lost_total\{reason="noResponse"\} 2$/m);
    assert.match(text, /^trafficcopy_turns_lost_total\{reason="shed"\} 0$/m);
    assert.match(text, /^trafficcopy_sessions_open 5$/m);
    assert.match(text, /^process_cpu_seconds_total /m);
    sessions = 6;
    assert.match(await (await get('/metrics')).text(), /^trafficcopy_sessions_open 6$/m);
  });

  it('/healthz is ok while the program lives, /readyz says why it is not ready', async () => {
    assert.equal((await get('/healthz')).status, 200);
    const notReady = await get('/readyz?verbose');
    assert.equal(notReady.status, 503);
    assert.equal(await notReady.text(), 'the channel is down\n');
    reason = undefined;
    assert.equal((await get('/readyz')).status, 200);
  });

  it('refuses other paths and methods', async () => {
    assert.equal((await get('/')).status, 404);
    assert.equal((await get('/metrics', { method: 'POST', body: 'x' })).status, 405);
    assert.equal((await get('/metrics', { method: 'HEAD' })).status, 200);
  });

  it('lives on after a stranger that sends garbage', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('\u0000\u0001garbage\r\n\r\n');
    await new Promise<void>((resolve) => socket.on('close', () => resolve()).resume());
    assert.equal((await get('/healthz')).status, 200);
  });

  it('a port in use is a clear error', async () => {
    const second = new MetricsServer({
      address: { host: '127.0.0.1', port: server.port },
      registry: metrics.registry,
      readiness: () => undefined,
    });
    await assert.rejects(second.listen(), (error: unknown) => {
      assert.ok(error instanceof StartError);
      assert.equal(error.code, 'ERR_START_METRICS');
      assert.match(error.message, /--metrics: cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\): the port is in use/);
      return true;
    });
  });
});
