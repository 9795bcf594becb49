import { NativeError } from './native-error.js';

/** Returns `value` when it is a whole number in [min, max]; throws ERR_NATIVE_OPTION by name otherwise. */
export function boundedOption(owner: string, name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new NativeError(
    'ERR_NATIVE_OPTION',
    `${owner}: ${name} is ${value}, expected a whole number from ${min} to ${max}`,
  );
}
