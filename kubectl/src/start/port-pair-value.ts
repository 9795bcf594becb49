import { ValueProblem, type ValueType } from '@trafficcopy/runtime';

export interface PortPair {
  readonly source: number;
  readonly target: number;
}

/** `8080`, or `8080:9090` where the target listens on another one. */
export const portPairValue: ValueType<PortPair> = {
  expected: 'a port, or SOURCE:TARGET where the target listens on another one, like 8080 or 8080:9090',
  parse(text: string): PortPair {
    const match = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text);
    const source = Number(match?.[1] ?? 0);
    const target = Number(match?.[2] ?? source);
    if (source < 1 || source > 65535 || target < 1 || target > 65535) throw new ValueProblem('');
    return { source, target };
  },
};
