import type { AddressRange } from '@trafficcopy/core';
import type { IptablesKind } from './iptables.js';
import type { NamespaceAccess } from './namespace-access.js';
import type { ProcessTable } from './process-table.js';
import type { WireTraffic } from './wire-rules.js';
import type { WorkerSlot } from './worker-slot.js';

export interface RulesInstallationOptions {
  readonly access: NamespaceAccess;
  readonly stateDirectory: string;
  /** Default: that of the own /proc. */
  readonly processes?: ProcessTable | undefined;
  readonly instance: string;
  /** Undefined: the first free one. */
  readonly queueNumber: number | undefined;
  readonly iptables: 'auto' | IptablesKind;
  /** Copied by C tcpcopies. */
  readonly wire?: WireTraffic | undefined;
  /** Addresses of the clients of datagrams: no UDP to them leaves the namespace. */
  readonly udpClients?: readonly AddressRange[] | undefined;
  /**
   * Opens the queue and the raw sockets of the slot, before anything is changed. False when another program reads that queue: then the
   * next slot is tried, unless `queueNumber` is given. May throw.
   */
  readonly openSockets: (slot: WorkerSlot) => boolean | Promise<boolean>;
  /** Whether packets of Direct delivery and answers to datagrams are this slot's. Default: they are. */
  readonly takesUnmarked?: boolean | undefined;
}
