import { isUtf8 } from 'node:buffer';
import { type ComparedAnswer, type Difference, formatIpAddress } from '@trafficcopy/core';
import { formatSocketAddress } from '@trafficcopy/runtime';

/** One difference as it stands in the file of --compare. */
export function differenceLine(difference: Difference, atMs: number): Record<string, unknown> {
  const { clientAddress, clientPort, onlinePort, turn, request, online, targets } = difference;
  return {
    kind: 'difference',
    at: new Date(atMs).toISOString(),
    request,
    client: formatSocketAddress({ host: formatIpAddress(clientAddress), port: clientPort }),
    onlinePort,
    turn,
    online: answerObject(online),
    targets: targets.map((target) => ({
      name: target.name,
      differs: target.fields,
      ...(target.fields.length === 0 ? {} : { offset: target.offset }),
      ...answerObject(target),
    })),
  };
}

function answerObject({ status, firstUs, lastUs, totalBytes, bytes }: ComparedAnswer): Record<string, unknown> {
  return {
    status,
    firstMs: milliseconds(firstUs),
    lastMs: milliseconds(lastUs),
    bytes: totalBytes,
    ...beginning(bytes),
  };
}

/** Where the last character was cut the rest of it is left out. */
function beginning(bytes: Uint8Array): Record<string, string> {
  for (let cut = 0; cut < 4 && cut <= bytes.length; cut += 1) {
    const whole = bytes.subarray(0, bytes.length - cut);
    if (isUtf8(whole)) return { text: new TextDecoder().decode(whole) };
  }
  return { base64: Buffer.from(bytes).toString('base64') };
}

function milliseconds(us: number | undefined): number | undefined {
  return us === undefined ? undefined : us / 1000;
}
