import { giveBackUnusedMemory } from '@trafficcopy/native';
import { QuietMemory, type QuietMemoryOptions } from '@trafficcopy/runtime';

/** The memory of this process, with native code's way to give it back. */
export function programMemory(options: Omit<QuietMemoryOptions, 'giveBackUnused'> = {}): QuietMemory {
  return new QuietMemory({ ...options, giveBackUnused: giveBackUnusedMemory });
}
