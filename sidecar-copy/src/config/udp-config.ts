import { type FlagValues, UsageError } from '@trafficcopy/runtime';
import { COPY_FLAGS } from './copy-flags.js';
import { isGiven } from './given-flag.js';

const NO_ANSWERS = 'datagrams are copied one way, and answers are not looked at';
const NO_CONNECTIONS = 'a datagram belongs to no connection';
/** What has no meaning for datagrams, and why. */
const NOT_FOR_DATAGRAMS = {
  noWait: 'nothing waits: each datagram is sent when its client sent it',
  fullSessionsOnly: NO_CONNECTIONS,
  credentialsFile: NO_CONNECTIONS,
  compareFile: NO_ANSWERS,
  measure: NO_ANSWERS,
  reportFile: NO_ANSWERS,
  responseTimeoutMs: NO_ANSWERS,
  idleTimeoutMs: NO_CONNECTIONS,
  mtuBytes: 'datagrams are injected at the target as large as they are',
  trace: NO_CONNECTIONS,
  wire: 'it needs an intercept of ours, which keeps answers from clients',
  connect: 'it needs an intercept, which keeps answers from clients',
} as const;

/**
 * Refuses what does not go together with --udp.
 *
 * @throws UsageError
 */
export function checkUdp(values: FlagValues<typeof COPY_FLAGS>): void {
  if (!values.udp) return;
  for (const name of Object.keys(NOT_FOR_DATAGRAMS) as (keyof typeof NOT_FOR_DATAGRAMS)[]) {
    if (!isGiven(values, name)) continue;
    const flag: { readonly short?: string; readonly long: string } = COPY_FLAGS[name];
    const text = flag.short === undefined ? `--${flag.long}` : `-${flag.short}/--${flag.long}`;
    throw new UsageError(`${text} does not go together with --udp: ${NOT_FOR_DATAGRAMS[name]}`);
  }
  if (values.capture !== 'native') {
    throw new UsageError(
      `--capture=${values.capture} does not go together with --udp: only the native capture sees each datagram once`,
    );
  }
  if (values.rate?.of === 'connections') {
    throw new UsageError('--rate counts datagrams as requests where --udp is given: expected a rate like 2000req/s');
  }
  if (values.clientAddresses.length === 0) {
    throw new UsageError(
      '--udp needs -c/--client-address: nothing marks the answers to a datagram, so they are kept from clients by their destination; give addresses that nobody has, such as 198.18.0.0/24, and the same to intercept as --udp-clients',
    );
  }
}
