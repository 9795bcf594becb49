import type { HostAccess } from '@trafficcopy/runtime';

/** TCP_LISTEN of the kernel. */
const LISTEN = '0A';

/** Whether something listens on the TCP port, on whatever address; undefined when it cannot be known. */
export function listens(host: HostAccess, port: number): boolean | undefined {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => host.read(path) ?? []);
  if (tables.length === 0) return undefined;
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return tables.some((table) =>
    table.split('\n').some((line) => {
      const [, own, , state] = line.trim().split(/\s+/);
      return state === LISTEN && own?.endsWith(`:${hex}`) === true;
    }),
  );
}
