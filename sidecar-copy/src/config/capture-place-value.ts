import { ValueProblem, type ValueType } from '@trafficcopy/runtime';
import { STANDARD_INPUT } from '../offline/capture-octets.js';

/** One item of -i: where packets come from. */
export type CapturePlace =
  | { readonly kind: 'device'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string };

/** What looks like a file: a path, or a name with a usual ending. */
const FILE = /^-$|\/|\.(pcap|pcapng|cap)(\d+|\.?gz)*$/;

/** The name of a network device, as the kernel allows it (IFNAMSIZ), or a capture file. */
export const capturePlaceValue: ValueType<CapturePlace> = {
  expected:
    'the name of a network device, like eth0, or a capture file: a path with a slash, NAME.pcap, NAME.pcapng, or -',
  completes: 'files',
  parse(text: string): CapturePlace {
    if (text === STANDARD_INPUT || FILE.test(text)) return { kind: 'file', path: text };
    if (!/^[^\s/,:]{1,15}$/.test(text) || text === '.' || text === '..') throw new ValueProblem('');
    return { kind: 'device', name: text };
  },
};
