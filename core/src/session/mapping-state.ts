import type { IpAddress } from '../wire/ip-address.js';
import type { TargetState } from './target-state.js';

/** One mapping that is in force, or was when its connections began. */
export class MappingState {
  readonly onlineAddress: IpAddress | undefined;
  readonly onlinePort: number;
  readonly addressBytes: 4 | 16;
  targets: readonly TargetState[] = [];
  /** Whether it was taken out of the settings. */
  isGone = false;

  constructor(onlineAddress: IpAddress | undefined, onlinePort: number, ipVersion: 4 | 6) {
    this.onlineAddress = onlineAddress;
    this.onlinePort = onlinePort;
    this.addressBytes = ipVersion === 4 ? 4 : 16;
  }
}
