import { compileFilter, RawSender } from '@trafficcopy/native';
import type { ProgramUsage } from './budget-keeper.js';
import type { PacketSource } from './capture/packet-source.js';
import { RingSource } from './capture/ring-source.js';
import { InterceptChannel, type InterceptChannelOptions } from './channel/intercept-channel.js';
import { WireChannel } from './channel/wire-channel.js';
import type { CopyConfig } from './config.js';
import { ConnectChannel } from './connect/connect-channel.js';
import type { DirectSender } from './sink/direct-sink.js';

/** One capture that is to be opened. */
export interface SourceRequest {
  readonly interfaceName: string;
  readonly filter: string;
  readonly bufferBytes: number;
  /** What this host sends, too. Default: false. */
  readonly seesOutgoing?: boolean | undefined;
  /** Each packet once, and not at these interfaces, where it comes again by another one. Default: as often as it comes. */
  readonly besides?: readonly number[] | undefined;
}

/** Where a copy touches the kernel and the network. Tests put something else there. */
export interface CopyEdges {
  /** @throws FilterError when libpcap does not understand the expression. Touches nothing. */
  checkFilter(filter: string): void;
  /** @throws NativeError */
  openSource(request: SourceRequest): PacketSource;
  /** @throws NativeError */
  openSender(family: 4 | 6): DirectSender;
  openChannel(options: InterceptChannelOptions): Pick<InterceptChannel, 'start' | 'setCredentials' | 'close'>;
  /** A clock that never goes back, whole milliseconds. */
  nowMs(): number;
  /** The same with its fractions. */
  preciseMs(): number;
  /** What this program has used. */
  usage(): ProgramUsage;
}

/** The real ones. */
export async function copyEdges(config: Pick<CopyConfig, 'capture'>): Promise<CopyEdges> {
  return {
    checkFilter: compileFilter,
    openSource: await sourceOpener(config.capture),
    openSender: (family) => new RawSender({ family }),
    openChannel,
    nowMs: () => Math.floor(performance.now()),
    preciseMs: () => performance.now(),
    usage,
  };
}

function openChannel(options: InterceptChannelOptions): ReturnType<CopyEdges['openChannel']> {
  if (options.connect !== undefined) return new ConnectChannel(options, options.connect);
  if (options.wire !== undefined) return new WireChannel(options, options.wire);
  return new InterceptChannel(options);
}

function usage(): ProgramUsage {
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
}

async function sourceOpener(capture: CopyConfig['capture']): Promise<(request: SourceRequest) => PacketSource> {
  if (capture === 'native') return (request) => new RingSource(request);
  const { CapSource } = await import('./capture/cap-source.js');
  return (request) => new CapSource(request);
}
