const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** Octets of a quantity (`64Mi`, `200M`, 1048576), or undefined when it is none of a size that can be meant. */
export function parseQuantity(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? value : undefined;
  const match = typeof value === 'string' ? /^([1-9][0-9]{0,12})(k|M|G|Ki|Mi|Gi)?$/.exec(value) : null;
  if (match === null) return undefined;
  const octets = Number(match[1]) * FACTORS[match[2] ?? '']!;
  return Number.isSafeInteger(octets) ? octets : undefined;
}

/** Thousandths of a CPU (`250m`, `1.5`, 2), or undefined when it is no number of them. */
export function parseMillicores(value: unknown): number | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  const match = typeof text === 'string' ? /^([0-9]{1,6})(?:m|(?:\.([0-9]{1,3}))?)$/.exec(text) : null;
  if (match === null) return undefined;
  const whole = Number(match[1]);
  return match[0].endsWith('m') ? whole : whole * 1000 + Number((match[2] ?? '').padEnd(3, '0'));
}
