import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ENGINE_LIMITS_DEFAULT,
  type Hello,
  type IpAddress,
  type MappingConfig,
  parseIpAddress,
} from '@trafficcopy/core';
import type { ChannelConnection, ProgramLog } from '@trafficcopy/runtime';
import type { CaptureStatistics, PacketSource } from '../src/capture/packet-source.js';
import type { InterceptChannelOptions } from '../src/channel/intercept-channel.js';
import { hostPlan } from '../src/config/host-plan.js';
import type { CopyConfig } from '../src/config.js';
import { Copy } from '../src/copy.js';
import type { CopyEdges, SourceRequest } from '../src/copy-edges.js';

const address = (text: string): IpAddress => parseIpAddress(text)!;

class SourceStandIn implements PacketSource {
  readonly name = 'any';
  readonly bytes = new Uint8Array(0);
  readonly entries = new Uint32Array(0);
  readonly count = 0;
  readonly calls: string[];
  stale = 2;
  figures = { packets: 0, drops: 0, freezes: 0 };

  constructor(calls: string[]) {
    this.calls = calls;
  }

  next(): boolean {
    this.stale -= 1;
    return this.stale >= 0;
  }

  release(): void {
    this.calls.push('release');
  }

  start(): void {
    this.calls.push('start');
  }

  stop(): void {
    this.calls.push('stop');
  }

  setFilter(filter: string): void {
    this.calls.push(`filter ${filter}`);
  }

  statistics(): CaptureStatistics {
    return { ...this.figures, interfaceState: 'up' };
  }

  close(): void {
    this.calls.push('close source');
  }
}

/** A copy whose kernel and network are this object. */
class Surroundings implements CopyEdges {
  readonly calls: string[] = [];
  readonly source = new SourceStandIn(this.calls);
  readonly channels: InterceptChannelOptions[] = [];
  readonly logged: string[] = [];
  readonly fatal: Error[] = [];
  addresses: IpAddress[] = [address('10.0.0.1')];
  clockMs = 1000;
  senderError: Error | undefined;
  sourceError: Error | undefined;

  checkFilter(filter: string): void {
    this.calls.push(`check ${filter}`);
  }

  openSource(_request: SourceRequest): PacketSource {
    if (this.sourceError !== undefined) throw this.sourceError;
    this.calls.push('open source');
    return this.source;
  }

  openSender(family: 4 | 6) {
    if (this.senderError !== undefined) throw this.senderError;
    this.calls.push(`open sender ${family}`);
    return { send: () => 0, statistics: () => ({ failed: 0 }), close: () => this.calls.push('close sender') };
  }

  openChannel(options: InterceptChannelOptions) {
    this.channels.push(options);
    return {
      start: () => void this.calls.push('start channel'),
      setCredentials: () => void this.calls.push('new credentials'),
      close: () => void this.calls.push('close channel'),
    };
  }

  nowMs(): number {
    return this.clockMs;
  }

  open(config: Partial<CopyConfig> = {}): Copy {
    const log = (...parts: unknown[]) => this.logged.push(String(parts.at(-1)));
    const basis = { ...CONFIG, ...config };
    return new Copy({
      basis,
      plan: hostPlan(basis),
      edges: this,
      logger: { info: log, warn: log, error: log, debug: () => {} } as unknown as ProgramLog['logger'],
      recorder: undefined,
      seed: 1,
      localNetwork: () => ({ addresses: this.addresses, wires: ['eth0'] }),
      identity: { credentials: () => Promise.resolve('insecure'), onRenewed: () => {}, isManaged: false },
      onFatal: (error) => this.fatal.push(error),
    });
  }

  connection(): ChannelConnection {
    const peer = { name: 'target-host' } as Hello;
    return {
      peer,
      remote: 'there',
      queuedBytes: 0,
      framesDropped: 0,
      sendBatch: () => true,
      flush: () => {},
    } as unknown as ChannelConnection;
  }
}

const CONFIG: CopyConfig = {
  mappings: [
    {
      onlineAddress: undefined,
      onlinePort: 80,
      ipVersion: 4,
      targets: [
        { name: '10.0.0.2:8080', endpoints: [{ lane: 0, address: address('10.0.0.2'), port: 8080 }] },
        { name: '10.0.0.3:8080', endpoints: [{ lane: 1, address: address('10.0.0.3'), port: 8080 }] },
      ],
    },
  ],
  lanes: [
    { host: '10.0.0.2', port: 36524 },
    { host: '10.0.0.3', port: 36524 },
  ],
  delivery: 'tunnel',
  clientAddresses: [],
  copies: 1,
  sample: { fraction: 1, by: 'connection', seed: 0 },
  fullSessionsOnly: false,
  wait: true,
  mtuBytes: 1500,
  responseTimeoutMs: 120_000,
  idleTimeoutMs: 1_320_000,
  interfaces: [],
  filter: undefined,
  captureBufferBytes: 1 << 20,
  capture: 'native',
  joinToken: undefined,
  stateDirectory: '/nonexistent',
  insecure: true,
  name: 'source-host',
  limits: { ...ENGINE_LIMITS_DEFAULT, connectionsMax: 16, sessionsMax: 32, heldBytesMax: 1 << 20 },
  logFile: undefined,
  logLevel: 'info',
  metrics: undefined,
  summaryFile: undefined,
  recordFile: undefined,
  durationMs: undefined,
  pidFile: undefined,
  notes: [],
};

test('the filter is checked before anything is opened, a condition of the user by itself first', () => {
  const around = new Surroundings();
  around.open({ filter: 'not net 10.9.0.0/16' });
  assert.equal(around.calls[0], 'check not net 10.9.0.0/16');
  assert.match(around.calls[1]!, /^check .*tcp dst port 80/);
  assert.equal(around.calls[2], 'open source');
});

test('what cannot be opened leaves nothing open behind', () => {
  const around = new Surroundings();
  around.senderError = new Error('no raw socket');
  assert.throws(() => around.open({ delivery: 'direct' }), /no raw socket/);
  assert.deepEqual(around.calls, []);
  const blind = new Surroundings();
  blind.sourceError = new Error('no packet socket');
  assert.throws(() => blind.open({ delivery: 'direct' }), /no packet socket/);
  assert.deepEqual(
    blind.calls.filter((call) => !call.startsWith('check')),
    ['open sender 4', 'open sender 4', 'close channel', 'close sender', 'close channel', 'close sender'],
  );
});

test('Direct opens a sender for each IP version that a lane has targets of', () => {
  const around = new Surroundings();
  const endpoint = { lane: 1, address: address('2001:db8::3'), port: 8080 };
  const mappings: MappingConfig[] = [
    ...CONFIG.mappings,
    { onlinePort: 80, ipVersion: 6, targets: [{ name: '[2001:db8::3]:8080', endpoints: [endpoint] }] },
  ];
  around.open({ delivery: 'direct', mappings });
  assert.deepEqual(around.calls.slice(0, 3), ['open sender 4', 'open sender 4', 'open sender 6']);
});

test('each intercept is told the targets that are behind it', () => {
  const around = new Surroundings();
  around.open();
  assert.deepEqual(
    around.channels.map(({ hello }) => [hello.role, hello.name, hello.delivery, hello.targets]),
    [
      ['copy', 'source-host', 'tunnel', [{ address: '10.0.0.2', port: 8080 }]],
      ['copy', 'source-host', 'tunnel', [{ address: '10.0.0.3', port: 8080 }]],
    ],
  );
});

test('the first channel that is up begins the copying; what was captured and dropped before does not count', () => {
  const around = new Surroundings();
  const copy = around.open();
  copy.start();
  around.source.figures = { packets: 10, drops: 3, freezes: 1 };
  around.calls.length = 0;
  assert.equal(copy.figures().elapsedMs, 0);
  around.channels[1]!.onUp(around.connection());
  assert.deepEqual(around.calls, ['release', 'release', 'start']);
  around.channels[0]!.onUp(around.connection());
  assert.deepEqual(around.calls, ['release', 'release', 'start']);
  assert.equal(copy.figures().sources[0]!.drops, 0);
  assert.equal(copy.unreadyReason(), undefined);
});

test('a channel that stays away is told once a minute, and copying waits for none but itself', () => {
  const around = new Surroundings();
  const copy = around.open();
  around.channels[0]!.onUp(around.connection());
  for (let second = 0; second < 130; second += 1) {
    around.channels[1]!.onDown(new Error('nothing listens there'), true);
    around.clockMs += 1000;
  }
  assert.equal(around.logged.filter((line) => line.startsWith('no channel to intercept yet')).length, 3);
  assert.equal(copy.unreadyReason(), 'no channel to intercept 10.0.0.3:36524');
  assert.deepEqual(around.fatal, []);
});

test('a refusal for good ends the program with its reason', () => {
  const around = new Surroundings();
  around.open();
  const refusal = new Error('tokenUsed');
  around.channels[0]!.onDown(refusal, false);
  assert.deepEqual(around.fatal, [refusal]);
});

test('a burst of capture drops is logged once, with what helps', () => {
  const around = new Surroundings();
  const copy = around.open();
  around.channels[0]!.onUp(around.connection());
  for (let second = 1; second <= 5; second += 1) {
    around.source.figures = { packets: 100 * second, drops: second, freezes: 1 };
    around.clockMs += 1000;
    copy.tick();
  }
  assert.equal(around.logged.filter((line) => line.includes('-B/--capture-buffer')).length, 1);
});

test('the capture follows the addresses of this host', () => {
  const around = new Surroundings();
  const copy = around.open();
  around.channels[0]!.onUp(around.connection());
  around.clockMs += 10_000;
  copy.tick();
  around.calls.length = 0;
  around.addresses = [address('10.0.0.1'), address('10.0.0.9')];
  around.clockMs += 10_000;
  copy.tick();
  assert.equal(around.calls.length, 2);
  assert.match(around.calls[1]!, /^filter .*dst host 10\.0\.0\.9/);
});

test('the end: no packet is read any more, then channels, sinks and sources are closed', async () => {
  const around = new Surroundings();
  const copy = around.open({ delivery: 'direct' });
  around.channels[0]!.onUp(around.connection());
  around.calls.length = 0;
  const figures = await copy.close();
  assert.equal(figures.engine.turnsCaptured, 0);
  assert.deepEqual(
    around.calls.filter((call) => call !== 'release'),
    ['stop', 'close source', 'close channel', 'close channel', 'close sender', 'close sender'],
  );
});
