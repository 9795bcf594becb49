import type { Flag, FlagValues } from '@trafficcopy/runtime';
import { COPY_FLAGS } from './copy-flags.js';

/** Whether a flag has another value than it has when it is not given. */
export function isGiven(values: FlagValues<typeof COPY_FLAGS>, name: keyof typeof COPY_FLAGS): boolean {
  const flag: Flag = COPY_FLAGS[name];
  const value: unknown = values[name];
  switch (flag.kind) {
    case 'switch':
      return value === true;
    case 'list':
      return (value as readonly unknown[]).length > 0;
    case 'value':
      return value !== (flag.default === undefined ? undefined : flag.value.parse(flag.default));
  }
}
