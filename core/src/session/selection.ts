/**
 * What of the clients' traffic is copied: to which targets, which share of it, how often, and under which addresses. The settings in
 * force, for whoever copies by them.
 */
import { type EngineConfig, type MappingConfig, type SampleConfig, SHARE_PPM_MAX } from '../engine-config.js';
import type { AddressRange } from '../wire/address-range.js';
import type { Captured } from './captured.js';
import { ClientAddresses } from './client-addresses.js';
import { type ClientEnd, ConnectionSample, type SampleVerdict } from './connection-sample.js';
import { CopyRamp } from './copy-ramp.js';
import { MappingTable } from './mapping-table.js';
import { OnlineTable } from './online-table.js';

export class Selection {
  readonly mappings: MappingTable;
  readonly onlines = new OnlineTable();
  readonly addresses: ClientAddresses;
  /** Sessions for each connection and target, in the end. */
  copies: number;
  /** Nothing new begins. */
  isPaused = false;
  #sample: ConnectionSample;
  #budgetSharePpm = SHARE_PPM_MAX;
  #ramp: CopyRamp | undefined;

  constructor(config: EngineConfig) {
    this.mappings = new MappingTable(config.meterFor);
    this.addresses = new ClientAddresses(config.clientAddresses, config.seed);
    this.#sample = new ConnectionSample(config.sample);
    this.copies = config.copies;
    this.setMappings(config.mappings);
  }

  setMappings(mappings: readonly MappingConfig[]): void {
    this.mappings.replace(mappings);
    this.onlines.setMappings(this.mappings.mappings);
  }

  /** Whether an endpoint is reached over the lane. */
  usesLane(lane: number): boolean {
    return this.mappings.mappings.some(({ targets }) =>
      targets.some(({ endpoints }) => endpoints.some((endpoint) => endpoint.lane === lane)),
    );
  }

  setSample(sample: SampleConfig): void {
    this.#sample = new ConnectionSample(sample, this.#budgetSharePpm);
  }

  setSampleFraction(fraction: number): void {
    this.setSample({ ...this.#sample.config, fraction });
  }

  /** Of what the sample chooses, the share that is copied while the program is beyond its safety budget. */
  setBudgetShare(sharePpm: number): void {
    this.#budgetSharePpm = sharePpm;
    this.setSample(this.#sample.config);
  }

  /** Raises the copies of each connection from none to all of them, uniformly over the time. */
  setRamp(beginMs: number, durationMs: number): void {
    this.#ramp = new CopyRamp(beginMs, durationMs);
  }

  get hasRamp(): boolean {
    return this.#ramp !== undefined;
  }

  setClientAddresses(ranges: readonly AddressRange[]): void {
    this.addresses.replaceBy(ranges);
  }

  /** Whether what the client of a packet begins is copied as of now, and else why not. */
  verdict(bytes: Uint8Array, client: ClientEnd, nowMs: number): SampleVerdict {
    const verdict = this.#sample.verdict(bytes, client);
    if (verdict !== 'chosen' || this.#ramp === undefined) return verdict;
    return this.copiesDueOf(bytes, client, nowMs) > 0 ? 'chosen' : 'sampledOut';
  }

  /** Copies of what the client of a packet sends that are due as of now, for each target. */
  copiesDueOf(bytes: Uint8Array, client: ClientEnd, nowMs: number): number {
    if (this.#ramp === undefined) return this.copies;
    return this.#ramp.copiesDue(this.#sample.placeOf(bytes, client), this.copies, nowMs);
  }

  /** Sessions that a connection should have towards each target as of now. */
  copiesDue(captured: Captured, nowMs: number): number {
    const ramp = this.#ramp;
    if (ramp === undefined) return this.copies;
    const place = this.#sample.placeOfCaptured(captured);
    // One that was chosen is never without.
    return Math.max(1, ramp.copiesDue(Math.min(place, 1), this.copies, nowMs));
  }

  /** Whether a connection that was chosen once is left out for the budget now. */
  isOverBudget(captured: Captured): boolean {
    return this.#sample.isOverBudget(captured);
  }
}
