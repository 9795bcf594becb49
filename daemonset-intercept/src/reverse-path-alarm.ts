import type { NamespaceAccess } from './rules/namespace-access.js';

const NETSTAT = '/proc/net/netstat';
const COUNTER = 'IPReversePathFilter';

/**
 * Watches the kernel's counter of packets that came in by another interface than the one that leads back to their source
 * address. Packets of Direct delivery carry the client's address and come from the online host, so strict filtering
 * (rp_filter=1) drops them in silence. Tunnel delivery is not concerned.
 */
export class ReversePathAlarm {
  readonly #access: NamespaceAccess;
  #before: number | undefined;
  #isTold = false;

  constructor(access: NamespaceAccess) {
    this.#access = access;
  }

  /** A message for the log when packets were dropped since the last call; once. `hasDirect`: a copy delivers directly. */
  async check(hasDirect: boolean): Promise<string | undefined> {
    const now = parseReversePathDrops((await this.#access.read(NETSTAT)) ?? '');
    const grown = this.#before !== undefined && now > this.#before ? now - this.#before : 0;
    this.#before = now;
    if (grown === 0 || !hasDirect || this.#isTold) return undefined;
    this.#isTold = true;
    return (
      `the kernel dropped ${grown} packets whose source address does not belong to the interface that they came by: ` +
      "copied packets of Direct delivery look like that. Set net.ipv4.conf.all.rp_filter=2 (loose) in the target's " +
      'network namespace, with net.ipv4.conf.all.src_valid_mark=1 where it has no default route; or let the copy use --delivery tunnel'
    );
  }
}

/** From the two lines `TcpExt: names` and `TcpExt: values`. */
export function parseReversePathDrops(text: string): number {
  const [names, values] = text.split('\n').filter((line) => line.startsWith('TcpExt:'));
  const index = names?.split(' ').indexOf(COUNTER) ?? -1;
  return index < 0 ? 0 : Number(values?.split(' ')[index] ?? 0);
}
