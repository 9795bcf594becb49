import { ValueProblem, type ValueType } from '@trafficcopy/runtime';
import type { CopyResources } from '../injection/index.js';

/** `{"requests": {...}, "limits": {...}}`: as in a pod, quantities by resource name. */
export const copyResourcesValue: ValueType<CopyResources> = {
  expected: 'JSON with requests and limits, like {"requests":{"cpu":"10m"},"limits":{"memory":"256Mi"}}',
  parse(text: string): CopyResources {
    const value = parseObject(text, text);
    for (const [key, list] of Object.entries(value)) {
      if (key !== 'requests' && key !== 'limits') throw new ValueProblem(`"${key}" is neither requests nor limits`);
      const quantities = Object.values(parseObject(JSON.stringify(list), key));
      if (quantities.some((quantity) => typeof quantity !== 'string')) {
        throw new ValueProblem(`a quantity of ${key} is no text: "100m"`);
      }
    }
    return value as CopyResources;
  },
};

function parseObject(text: string, what: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw new ValueProblem(`${what} is no JSON object`);
}
