import type { EndpointConfig } from '../engine-config.js';
import { flowHash } from '../flow/flow-hash.js';
import type { IpAddress } from '../wire/ip-address.js';

/** One place where a target listens. */
export class EndpointState {
  readonly lane: number;
  readonly address: IpAddress;
  readonly port: number;
  /** Number of this address and port in the port table: the same for all targets that have it. */
  readonly portKey: number;
  /** Of address and port: weighs endpoints against each other. */
  readonly hash: number;
  /** Whether it was taken out of the settings. */
  isGone = false;

  constructor({ lane, address, port }: EndpointConfig, portKey: number) {
    this.lane = lane;
    this.address = address;
    this.port = port;
    this.portKey = portKey;
    this.hash = flowHash(0, address, 0, address.length, port);
  }
}
