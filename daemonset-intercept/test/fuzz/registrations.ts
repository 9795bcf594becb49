/**
 * C tcpcopies that lie: any messages and ends of tunnels, and responses on the queue between them. Tables stay within their limits, a copy that said HELLO keeps
 * what it has, and nothing is injected but resets of flows that were opened.
 */
import assert from 'node:assert/strict';
import { ACK, FIN, RST, SYN, WIRE_FORMATS } from '@trafficcopy/core';
import { type FuzzTarget, InputReader } from '@trafficcopy/fuzz';
import type { CopyLink } from '../../src/channel/copy-link.js';
import { wireRecords } from '../../src/channel/wire-records.js';
import { FakeTunnel } from '../kit/fake-tunnel.js';
import { PipelineRig } from '../kit/pipeline-rig.js';

const FLAGS = [SYN | ACK, ACK, FIN | ACK, RST];
const OWN_PORT = 39_000;
const LIMITS = { flowsMax: 6, endpointsMax: 2, connectionsMax: 4, parkedMax: 4, parkedMs: 30_000, graceMs: 2000 };

class Script {
  readonly #input: InputReader;
  readonly #rig = new PipelineRig(LIMITS);
  readonly #own = this.#rig.connect('own');
  readonly #tunnels: FakeTunnel[] = [];
  readonly #links: (CopyLink | undefined)[] = [undefined, undefined];

  constructor(bytes: Uint8Array) {
    this.#input = new InputReader(bytes);
    this.#rig.open(this.#own.link, 1, { sourcePort: OWN_PORT });
    this.#rig.sender.packets.length = 0;
  }

  run(): number {
    while (!this.#input.isOver) this.#step();
    this.#rig.respond({ flags: ACK, seq: 9, ack: 1001, destinationPort: OWN_PORT });
    assert.equal(this.#own.connection.responses.at(-1)?.sessionId, 1, 'the copy that said HELLO keeps its flow');
    const { counters, pipeline, sender } = this.#rig;
    assert.ok(pipeline.flows.size <= LIMITS.flowsMax);
    for (const packet of sender.packets) assert.equal(packet[33], RST, 'nothing but resets is injected');
    for (const { records } of this.#tunnels) for (const record of records) assert.equal(record[0], 0x45);
    pipeline.close();
    assert.equal(pipeline.flows.size, 0, 'no flow is left');
    const { registrations, messagesUnknown, flowsEvicted, responsesParked } = counters;
    const seen = [registrations, messagesUnknown, flowsEvicted, responsesParked, counters.responsesReturned];
    return [...seen, ...Object.values(counters.recordsRefused)].reduce(
      (feature, count) => (Math.imul(feature, 31) + Math.min(count, 3)) | 0,
      7,
    );
  }

  #step(): void {
    const input = this.#input;
    const which = input.u8() & 1;
    const link = this.#links[which] ?? this.#open(which);
    switch (input.u8() % 6) {
      case 0: {
        // Whatever there is.
        const message = Uint8Array.from({ length: 14 }, () => input.u8());
        if (link !== undefined) this.#rig.pipeline.register(link, message, 0);
        return;
      }
      case 1:
      case 2: {
        const port = OWN_PORT + (input.u8() & 15);
        const message = [198, 51, 100, 7, port >> 8, port & 255, 0, 1, 10, 0, 0, 3 + (input.u8() & 1), 0x1f, 0x90];
        if (link !== undefined) this.#rig.pipeline.register(link, Uint8Array.from(message), 0);
        return;
      }
      case 3:
        this.#rig.respond({
          flags: FLAGS[input.u8() & 3]!,
          seq: input.u8(),
          ack: 1001,
          destinationPort: OWN_PORT + (input.u8() & 15),
        });
        return;
      case 4:
        if (link !== undefined) this.#rig.pipeline.linkDown(link);
        this.#links[which] = undefined;
        return;
      default:
        this.#rig.wait(input.u8() * 40);
    }
  }

  #open(which: number): CopyLink | undefined {
    const version = which === 0 ? '0.9' : '1.x';
    const tunnel = new FakeTunnel(version, `10.0.0.${which + 1}:${50_000 + this.#tunnels.length}`);
    const link = this.#rig.links.open(tunnel, undefined, wireRecords(WIRE_FORMATS[version]));
    if (link !== undefined) this.#tunnels.push(tunnel);
    this.#links[which] = link;
    return link;
  }
}

const target: FuzzTarget = {
  seeds: [
    Uint8Array.of(0, 1, 3, 0, 1, 3, 0, 9, 3, 0, 1, 4, 0, 0, 5, 100, 1, 4),
    Uint8Array.of(0, 3, 0, 7, 5, 0, 1, 5, 0, 1, 1, 5, 0, 1, 3, 1, 8, 5),
  ],
  bytesMax: 300,
  run: (input) => new Script(input).run(),
};
export default target;
