import type { HostAccess } from '@trafficcopy/runtime';

/** TCP_LISTEN of the kernel; a UDP socket without a peer has the number of TCP_CLOSE. */
const STATES = { tcp: '0A', udp: '07' } as const;

/** Whether something listens on the port, on whatever address; undefined when it cannot be known. */
export function listens(host: HostAccess, port: number, transport: 'tcp' | 'udp' = 'tcp'): boolean | undefined {
  const tables = [`/proc/net/${transport}`, `/proc/net/${transport}6`].flatMap((path) => host.read(path) ?? []);
  if (tables.length === 0) return undefined;
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return tables.some((table) =>
    table.split('\n').some((line) => {
      const [, own, , state] = line.trim().split(/\s+/);
      return state === STATES[transport] && own?.endsWith(`:${hex}`) === true;
    }),
  );
}
