/** What of the command line is about C intercepts, and what of it does not go together. */
import { WIRE_FORMATS, WIRE_PAYLOAD_FORMATS, type WireFormat } from '@trafficcopy/core';
import { type FlagValues, UsageError } from '@trafficcopy/runtime';
import type { COPY_FLAGS } from './copy-flags.js';

type Values = Pick<FlagValues<typeof COPY_FLAGS>, 'wire' | 'responsePayload' | 'delivery' | 'insecure'>;

/** Undefined without --wire. `families`: octets of the targets' addresses. Throws UsageError. */
export function wireFormat(
  { wire, responsePayload, delivery, insecure }: Values,
  families: ReadonlySet<number>,
): WireFormat | undefined {
  if (wire === undefined) {
    if (!responsePayload) return undefined;
    throw new UsageError('--resp-payload needs --wire: it says how a C intercept was built');
  }
  if (delivery !== 'direct') {
    throw new UsageError('--wire and --delivery tunnel exclude each other: a C intercept injects nothing');
  }
  if (!insecure) {
    throw new UsageError('--wire needs --insecure: a C intercept speaks plain TCP and proves nothing');
  }
  if (families.has(16)) throw new UsageError('--wire: expected IPv4 targets only: a C intercept knows no others');
  return (responsePayload ? WIRE_PAYLOAD_FORMATS : WIRE_FORMATS)[wire];
}
