import type { TraceFilter } from '@trafficcopy/core';
import { addressRangeValue, ValueProblem, type ValueType } from '@trafficcopy/runtime';

/** Which sessions are shown. */
export interface SessionFilter extends TraceFilter {
  /** Only those that lose something; they are shown from some events before. */
  readonly isLossOnly: boolean;
}

const EXPECTED =
  'all, or conditions with commas between, which must all hold: a client (10.0.0.9, 10.0.0.0/8), port=CLIENT-PORT, online=PORT, target=NAME as the log says it, lost (only sessions that lose something)';

/** `all`, `lost`, `10.0.0.0/8,online=80`. */
export const sessionFilterValue: ValueType<SessionFilter> = {
  expected: EXPECTED,
  parse(text: string): SessionFilter {
    const filter: { -readonly [name in keyof SessionFilter]?: SessionFilter[name] } = { isLossOnly: false };
    const conditions = text.trim() === 'all' ? [] : text.split(',').map((condition) => condition.trim());
    for (const condition of conditions) {
      const [name, value] = condition.includes('=') ? cut(condition) : [undefined, condition];
      if (name === undefined && value === 'lost') filter.isLossOnly = true;
      else if (name === 'port') filter.clientPort = portOf(value);
      else if (name === 'online') filter.onlinePort = portOf(value);
      else if (name === 'target' && value !== '') filter.target = value;
      else if (name === undefined || name === 'client') {
        const { address, prefixBits } = addressRangeValue.parse(value);
        filter.clientAddress = address;
        filter.prefixBits = prefixBits;
      } else throw new ValueProblem(`"${condition}" is no condition`);
    }
    return { ...filter, isLossOnly: filter.isLossOnly === true };
  },
};

function cut(condition: string): [string, string] {
  const at = condition.indexOf('=');
  return [condition.slice(0, at), condition.slice(at + 1)];
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65535) return port;
  throw new ValueProblem(`"${text}" is no TCP port: ports are from 1 to 65535`);
}
