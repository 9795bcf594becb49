import { ValueProblem, type ValueType } from '@trafficcopy/runtime';

/** The name of a network device, as the kernel allows it (IFNAMSIZ). */
export const deviceValue: ValueType<string> = {
  expected: 'the name of a network device, like eth0',
  parse(text: string): string {
    if (/\.(pcap|pcapng|cap)$|\//.test(text)) throw new ValueProblem('capture files are not supported yet');
    if (!/^[^\s/,:]{1,15}$/.test(text) || text === '.' || text === '..') throw new ValueProblem('');
    return text;
  },
};
