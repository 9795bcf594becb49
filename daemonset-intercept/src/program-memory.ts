import { giveBackUnusedMemory } from '@trafficcopy/native';
import { QuietMemory } from '@trafficcopy/runtime';

/** The memory of this process, with native code's way to give it back. */
export function programMemory(): QuietMemory {
  return new QuietMemory({ giveBackUnused: giveBackUnusedMemory });
}
