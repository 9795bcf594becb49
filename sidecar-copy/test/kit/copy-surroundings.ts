import { ENGINE_LIMITS_DEFAULT, type Hello, type IpAddress, parseIpAddress } from '@trafficcopy/core';
import type { ChannelConnection, ProgramLog } from '@trafficcopy/runtime';
import type { CaptureStatistics, PacketSource } from '../../src/capture/packet-source.js';
import type { InterceptChannelOptions } from '../../src/channel/intercept-channel.js';
import { hostPlan } from '../../src/config/host-plan.js';
import type { CopyConfig } from '../../src/config.js';
import { Copy, type CopyOptions } from '../../src/copy.js';
import type { CopyEdges, SourceRequest } from '../../src/copy-edges.js';

const address = (text: string): IpAddress => parseIpAddress(text)!;

export class SourceStandIn implements PacketSource {
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
export class CopySurroundings implements CopyEdges {
  readonly calls: string[] = [];
  readonly source = new SourceStandIn(this.calls);
  readonly channels: InterceptChannelOptions[] = [];
  readonly interfaceNames: string[] = [];
  readonly logged: string[] = [];
  readonly fatal: Error[] = [];
  addresses: IpAddress[] = [address('10.0.0.1')];
  clockMs = 1000;
  cpuUs = 0;
  rssBytes = 0;
  senderError: Error | undefined;
  sourceError: Error | undefined;

  checkFilter(filter: string): void {
    this.calls.push(`check ${filter}`);
  }

  openSource({ interfaceName }: SourceRequest): PacketSource {
    if (this.sourceError !== undefined) throw this.sourceError;
    this.interfaceNames.push(interfaceName);
    this.calls.push('open source');
    return this.source;
  }

  openSender(family: 4 | 6) {
    if (this.senderError !== undefined) throw this.senderError;
    this.calls.push(`open sender ${family}`);
    return {
      send: () => 0,
      tooBig: () => new Float64Array(0),
      statistics: () => ({ failed: 0 }),
      close: () => this.calls.push('close sender'),
    };
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

  preciseMs(): number {
    return this.clockMs;
  }

  usage(): { readonly cpuUs: number; readonly rssBytes: number } {
    return { cpuUs: this.cpuUs, rssBytes: this.rssBytes };
  }

  get logger(): ProgramLog['logger'] {
    const log = (...parts: unknown[]) => this.logged.push(String(parts.at(-1)));
    return { info: log, warn: log, error: log, debug: () => {} } as unknown as ProgramLog['logger'];
  }

  open(config: Partial<CopyConfig> = {}, part: Partial<CopyOptions> = {}): Copy {
    const basis = { ...COPY_CONFIG, ...config };
    return new Copy({
      basis,
      plan: hostPlan(basis),
      edges: this,
      logger: this.logger,
      recorder: undefined,
      seed: 1,
      localNetwork: () => ({ addresses: this.addresses, wires: ['eth0'] }),
      identity: { credentials: () => Promise.resolve('insecure'), onRenewed: () => {}, isManaged: false },
      onFatal: (error) => this.fatal.push(error),
      ...part,
    });
  }

  connection(capabilities: readonly string[] = []): ChannelConnection {
    const peer = { name: 'target-host', capabilities } as unknown as Hello;
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

export const COPY_CONFIG: CopyConfig = {
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
  udp: false,
  delivery: 'tunnel',
  clientAddresses: [],
  copies: 1,
  sample: { fraction: 1, by: 'connection', seed: 0 },
  fullSessionsOnly: false,
  rampMs: 0,
  wait: true,
  mtuBytes: 1500,
  responseTimeoutMs: 120_000,
  idleTimeoutMs: 1_320_000,
  interfaces: [],
  filter: undefined,
  captureBufferBytes: 1 << 20,
  capture: 'native',
  offline: undefined,
  joinToken: undefined,
  stateDirectory: '/nonexistent',
  insecure: true,
  wire: undefined,
  credentialsFile: undefined,
  logins: [],
  responsePayloadBytes: 0,
  connect: false,
  name: 'source-host',
  limits: { ...ENGINE_LIMITS_DEFAULT, connectionsMax: 16, sessionsMax: 32, heldBytesMax: 1 << 20 },
  measures: false,
  reportFile: undefined,
  trace: undefined,
  budget: { cpuPercentMax: 0, memoryBytesMax: 0 },
  logFile: undefined,
  logLevel: 'info',
  metrics: undefined,
  summaryFile: undefined,
  recordFile: undefined,
  durationMs: undefined,
  pidFile: undefined,
  threads: 1,
  notes: [],
};
