import type { NamespaceAccess } from './rules/namespace-access.js';

const SNMP_V4 = '/proc/net/snmp';
const SNMP_V6 = '/proc/net/snmp6';
/** Between two messages. */
const REPEAT_MS = 30_000;

/**
 * Watches the kernel's counters of UDP datagrams for which sockets had no room. Such a datagram was injected, and the target's
 * program never sees it; nobody else notices. The counters are those of the whole network namespace.
 */
export class SocketRoomAlarm {
  readonly #access: NamespaceAccess;
  #told = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(access: NamespaceAccess) {
    this.#access = access;
  }

  /** From here on drops count. */
  async start(): Promise<void> {
    this.#told = await this.#read();
  }

  /** A message for the log when there were drops since the last message, not more than once in a while unless `isLast`. */
  async check(nowMs: number, isLast = false): Promise<string | undefined> {
    if (!isLast && nowMs - this.#toldMs < REPEAT_MS) return undefined;
    const now = await this.#read();
    const dropped = now - this.#told;
    if (dropped <= 0) return undefined;
    this.#told = now;
    this.#toldMs = nowMs;
    return (
      `sockets in the target's network namespace had no room for ${dropped.toLocaleString('en-US')} UDP datagrams (RcvbufErrors): ` +
      'copied ones among them count as injected, but no program saw them. A larger receive buffer of the program helps (SO_RCVBUF, or ' +
      'net.core.rmem_default before it starts), or a smaller share of the traffic (copy -r)'
    );
  }

  async #read(): Promise<number> {
    const [v4, v6] = await Promise.all([this.#access.read(SNMP_V4), this.#access.read(SNMP_V6)]);
    return parseSocketRoomDrops(v4 ?? '', v6 ?? '');
  }
}

/** From the lines `Udp: names` and `Udp: values` of IPv4, and `Udp6RcvbufErrors value` of IPv6. */
export function parseSocketRoomDrops(v4: string, v6: string): number {
  const [names, values] = v4.split('\n').filter((line) => line.startsWith('Udp:'));
  const index = names?.split(' ').indexOf('RcvbufErrors') ?? -1;
  const dropsV4 = index < 0 ? 0 : Number(values?.split(' ')[index] ?? 0);
  return dropsV4 + Number(/^Udp6RcvbufErrors\s+(\d+)/m.exec(v6)?.[1] ?? 0);
}
