/** What holds for every traffic: seeds are printed; run again with TEST_SEED=<seed>. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { MappingConfig } from '../../src/engine-config.js';
import { ACK, FIN, PSH, RST, SYN } from '../../src/wire/tcp.js';
import type { TargetBehaviour, TargetConnection } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { CONTRARY_PROTOCOLS } from '../kit/contrary-protocol.js';
import { mappingTo, TARGET, targetAt } from '../kit/engine-setup.js';
import { Random } from '../kit/random.js';
import { recordOf, responseBatchOf } from '../kit/record.js';
import { CONFIG, Rig } from '../kit/rig.js';
import { batchOf } from '../kit/segment.js';

const BUDGET_MS = Number(process.env['TEST_FUZZ_MS'] ?? 2500);

/** Runs a property with fresh seeds until the time is over; a failure names its seed. */
function forSeeds(context: TestContext, property: (random: Random) => void): void {
  const given = process.env['TEST_SEED'];
  if (given !== undefined) {
    property(new Random(Number(given)));
    return;
  }
  const first = Date.now() >>> 0;
  const end = performance.now() + BUDGET_MS;
  let runs = 0;
  while (performance.now() < end) {
    const seed = (first + runs) >>> 0;
    try {
      property(new Random(seed));
    } catch (error) {
      throw new Error(`with TEST_SEED=${seed}`, { cause: error });
    }
    runs += 1;
  }
  context.diagnostic(`${runs} runs from seed ${first}`);
}

/** A client's conversation, and the target that answers each of its turns when it has all of it. */
class Conversation {
  readonly turns: Uint8Array[];
  readonly answers: number[];
  readonly whole: Uint8Array;

  constructor(random: Random) {
    const count = 1 + random.below(8);
    this.turns = Array.from({ length: count }, () =>
      random.bytes(1 + (random.chance(0.2) ? random.below(20_000) : random.below(300))),
    );
    this.answers = this.turns.map(() => 1 + (random.chance(0.2) ? random.below(50_000) : random.below(400)));
    this.whole = Uint8Array.from(this.turns.flatMap((turn) => [...turn]));
  }

  /** Octets to answer when a connection has received so many more. */
  answer(connection: TargetConnection, text: Uint8Array): number {
    const before = connection.received.length - text.length;
    let end = 0;
    let bytes = 0;
    for (const [index, turn] of this.turns.entries()) {
      end += turn.length;
      if (end > before && end <= connection.received.length) bytes += this.answers[index]!;
    }
    return bytes;
  }

  /** The packets of the client: turns cut anywhere, parts sent again with other borders, acknowledgements between. */
  packets(random: Random, client: Client): Uint8Array[] {
    const packets: Uint8Array[] = [];
    for (const [index, turn] of this.turns.entries()) {
      const start = client.seq;
      for (let at = 0; at < turn.length; ) {
        const length = Math.min(turn.length - at, 1 + random.below(random.chance(0.3) ? 30 : 3000));
        const from = random.chance(0.2) ? Math.max(0, at - random.below(100)) : at;
        const text = turn.subarray(from, at + length);
        packets.push(client.packet({ seq: (start + from) >>> 0, flags: ACK | PSH, text }));
        if (random.chance(0.1)) packets.push(packets[random.below(packets.length)]!);
        at += length;
      }
      client.seq = start + turn.length;
      client.hear(this.answers[index]!);
      if (random.chance(0.5)) packets.push(client.acknowledge());
    }
    return packets;
  }
}

/** Moves packets up to `distance` places. */
function disorder(random: Random, packets: readonly Uint8Array[], distance: number): Uint8Array[] {
  const keyed = packets.map((packet, index) => ({ packet, key: index + random.next() * distance }));
  return keyed.sort((a, b) => a.key - b.key).map(({ packet }) => packet);
}

function newClient(random: Random, clientPort = 40_000): Client {
  const near = random.pick([0, 0x7fff_ff00, 0xffff_ff00]);
  return new Client({ clientPort, seq: (near + random.below(0x200)) >>> 0, ack: random.below(2 ** 32) });
}

function capturePieces(random: Random, rig: Rig, packets: readonly Uint8Array[]): void {
  for (let at = 0; at < packets.length; ) {
    const count = 1 + random.below(5);
    rig.capture(...packets.slice(at, at + count));
    at += count;
    if (random.chance(0.5)) rig.wait(random.below(60));
  }
}

describe('the stream at the target', () => {
  it('is the client’s, however it is cut, repeated, overlapped and reordered in the capture', (context) => {
    forSeeds(context, (random) => {
      const conversation = new Conversation(random);
      const copies = 1 + random.below(3);
      const rig = new Rig(
        { copies, wait: random.chance(0.8), mtuBytes: random.pick([300, 576, 1500, 9000]) },
        { answer: (connection, text) => conversation.answer(connection, text), mss: random.pick([0, 100, 1460, 8960]) },
      );
      const client = newClient(random);
      rig.capture(client.syn(), client.acknowledge());
      const packets = conversation.packets(random, client);
      const last = random.chance(0.7) ? client.fin() : undefined;
      if (last !== undefined) packets.push(last);
      capturePieces(random, rig, disorder(random, packets, random.pick([0, 2, 6])));
      if (last === undefined) rig.capture(client.reset());
      rig.wait(8000);
      assert.equal(rig.target.connections.length, copies);
      for (const { received } of rig.target.connections) {
        assert.deepEqual(Buffer.from(received), Buffer.from(conversation.whole));
      }
      assert.deepEqual(rig.terminals(), { copied: copies });
      rig.checkEnd();
    });
  });

  it('is the client’s when packets and answers are lost on the way', (context) => {
    forSeeds(context, (random) => {
      const conversation = new Conversation(random);
      const loss = random.pick([0.02, 0.05, 0.1, 0.2]);
      const back = random.pick([0, 0.05, 0.2]);
      const rig = new Rig(
        { responseTimeoutMs: 1e6 },
        {
          answer: (connection, text) => conversation.answer(connection, text),
          lose: () => random.chance(loss),
          loseAnswer: () => random.chance(back),
          mss: random.pick([100, 1460]),
        },
      );
      const client = newClient(random);
      rig.capture(client.syn(), client.acknowledge());
      capturePieces(random, rig, conversation.packets(random, client));
      rig.capture(client.fin());
      rig.wait(900_000);
      assert.equal(rig.target.connections.length, 1);
      assert.deepEqual(Buffer.from(rig.target.connections[0]!.received), Buffer.from(conversation.whole));
      assert.deepEqual(rig.lost(), {});
      rig.checkEnd();
    });
  });
});

describe('the ledger', () => {
  it('adds up, and everything ends, whatever clients, capture, targets and lanes do', (context) => {
    forSeeds(context, (random) => {
      const behaviour: TargetBehaviour = {
        answer: () => (random.chance(0.8) ? random.below(500) : 0),
        after: () => (random.chance(0.1) ? 'close' : random.chance(0.05) ? 'reset' : 'stay'),
        refuse: random.chance(0.1),
        silent: random.chance(0.05),
        closeOnFin: random.chance(0.8),
        greetingBytes: random.chance(0.2) ? random.below(100) : 0,
        window: random.pick([0, 100, 60_000, 60_000, 60_000]),
        mss: random.pick([0, 1, 100, 1460]),
        lose: () => random.chance(0.05),
      };
      const other = targetAt('other', { port: 81 });
      const rig = new Rig(
        {
          mappings: [random.chance(0.5) ? mappingTo(TARGET) : mappingTo(TARGET, other)],
          copies: 1 + random.below(2),
          wait: random.chance(0.7),
          fullSessionsOnly: random.chance(0.2),
          sample: { fraction: random.pick([1, 1, 0.5]), by: 'connection', seed: random.below(1000) },
          idleTimeoutMs: random.pick([3000, 600_000]),
          protocols: random.chance(0.3) ? CONTRARY_PROTOCOLS : undefined,
          limits: {
            ...CONFIG.limits,
            connectionsMax: random.pick([4, 100]),
            sessionsMax: random.pick([5, 200]),
            heldBytesMax: random.pick([20_000, 1_000_000]),
            heldBytesPerConnectionMax: random.pick([5000, 500_000]),
            batchPacketsMax: random.pick([8, 4096]),
            batchBytesMax: random.pick([8000, 1_000_000]),
          },
        },
        behaviour,
      );
      const clients = Array.from({ length: 6 }, (_, index) => newClient(random, 41_000 + index));
      if (random.chance(0.3)) rig.engine.setRamp(rig.nowMs, random.pick([1, 2000, 60_000]));
      for (let step = 0; step < 150; step += 1) {
        const client = random.pick(clients);
        const packet = clientStep(random, client);
        // The capture misses some.
        if (packet !== undefined && random.chance(0.93)) rig.capture(packet);
        if (random.chance(0.2)) rig.wait(random.pick([1, 15, 300, 2000]));
        if (random.chance(0.02)) {
          behaviour.refuse = random.chance(0.3);
          behaviour.silent = random.chance(0.2);
          behaviour.window = random.pick([0, 60_000]);
        }
        if (random.chance(0.02)) rig.engine.setLaneUp(0, random.chance(0.6), rig.nowMs);
        if (random.chance(0.02)) rig.engine.setLaneCongested(0, random.chance(0.4));
        if (random.chance(0.02)) rig.engine.setSampleFraction(random.next());
        if (random.chance(0.02)) rig.engine.reopenFlows(0);
        rig.settle();
      }
      if (random.chance(0.5)) {
        rig.engine.setLaneUp(0, true, rig.nowMs);
        for (const client of clients) rig.capture(random.chance(0.5) ? client.fin() : client.reset());
        rig.wait(700_000);
        // What was never joined has gone by its idle time; nothing needs the end of the program.
        rig.checkEnd();
        assert.equal(rig.engine.counters.terminal.interrupted, 0);
      }
      rig.engine.close(rig.nowMs);
      rig.checkEnd();
    });
  });
});

describe('settings that change at any time', () => {
  it('leave the ledger right, and nothing behind', (context) => {
    forSeeds(context, (random) => {
      const behaviour: TargetBehaviour = {
        answer: () => (random.chance(0.8) ? random.below(500) : 0),
        after: () => (random.chance(0.05) ? 'close' : random.chance(0.05) ? 'reset' : 'stay'),
        refuse: random.chance(0.05),
        window: random.pick([0, 60_000, 60_000]),
        lose: () => random.chance(0.05),
      };
      const rig = new Rig(
        {
          protocols: random.chance(0.3) ? CONTRARY_PROTOCOLS : undefined,
          lanes: random.below(3),
          mappings: [],
          copies: 1 + random.below(2),
          wait: random.chance(0.7),
          limits: {
            ...CONFIG.limits,
            connectionsMax: random.pick([4, 100]),
            sessionsMax: random.pick([5, 200]),
            heldBytesPerConnectionMax: random.pick([5000, 500_000]),
            batchPacketsMax: random.pick([8, 4096]),
            batchBytesMax: random.pick([8000, 1_000_000]),
          },
        },
        behaviour,
      );
      const clients = Array.from({ length: 6 }, (_, index) => newClient(random, 41_000 + index));
      for (let step = 0; step < 150; step += 1) {
        const packet = clientStep(random, random.pick(clients));
        if (packet !== undefined && random.chance(0.95)) rig.capture(packet);
        if (random.chance(0.2)) rig.wait(random.pick([1, 15, 300, 2000]));
        if (random.chance(0.1)) changeSettings(random, rig);
        rig.settle();
      }
      if (random.chance(0.5)) {
        for (const [lane, output] of rig.engine.outputs.entries()) {
          if (output !== undefined) rig.engine.setLaneUp(lane, true, rig.nowMs);
        }
        for (const client of clients) rig.capture(random.chance(0.5) ? client.fin() : client.reset());
        rig.wait(700_000);
        rig.checkRest();
        assert.equal(rig.engine.counters.terminal.interrupted, 0);
      }
      rig.engine.close(rig.nowMs);
      rig.checkRest();
      const { connectionsSeen, sessionsStarted, terminal } = rig.engine.counters;
      const ended = Object.values(terminal).reduce((sum, count) => sum + count, 0);
      assert.ok(ended >= connectionsSeen && ended >= sessionsStarted, `${ended}`);
    });
  });

  it('send nothing twice: each octet of a client comes to one endpoint of a target, once', (context) => {
    forSeeds(context, (random) => {
      const rig = new Rig(
        { lanes: 4, mappings: [randomMapping(random, [0, 1, 2, 3])], wait: random.chance(0.8) },
        { answer: () => (random.chance(0.8) ? 1 + random.below(400) : 0), lose: () => random.chance(0.03) },
      );
      const client = newClient(random);
      rig.capture(client.syn(), client.acknowledge());
      const sizes = Array.from({ length: 30 }, () => 1 + random.below(random.chance(0.2) ? 9000 : 300));
      for (const [index, size] of sizes.entries()) {
        // Each turn has octets of its own.
        rig.capture(client.send(new Uint8Array(size).fill(index + 32)));
        if (random.chance(0.4)) rig.wait(random.below(50));
        if (random.chance(0.2)) rig.engine.setMappings([randomMapping(random, [0, 1, 2, 3])], rig.nowMs);
        client.hear(random.below(400));
      }
      rig.capture(client.fin());
      rig.wait(20_000);
      rig.checkRest();
      const counts = new Map<number, number>();
      for (const lane of [0, 1, 2, 3]) {
        for (const { received } of rig.targetOf(lane).connections) {
          for (const octet of received) counts.set(octet, (counts.get(octet) ?? 0) + 1);
        }
      }
      for (const [index, size] of sizes.entries()) {
        const count = counts.get(index + 32) ?? 0;
        assert.ok(count <= size, `turn ${index}: ${count} octets of ${size}`);
      }
    });
  });
});

/** One target, on some of the lanes. */
function randomMapping(random: Random, lanes: readonly number[], name = 'target'): MappingConfig {
  const endpoints = lanes.filter(() => random.chance(0.6)).map((lane) => ({ lane, port: 8000 + lane }));
  return mappingTo(targetAt(name, ...endpoints));
}

function changeSettings(random: Random, rig: Rig): void {
  const { engine, nowMs } = rig;
  const lanes = engine.outputs.flatMap((output, lane) => (output === undefined ? [] : [lane]));
  switch (random.below(9)) {
    case 0:
      engine.setCopies(1 + random.below(3));
      return;
    case 1:
      engine.setPaused(random.chance(0.4), nowMs);
      return;
    case 2:
      engine.setSample({ fraction: random.pick([1, 0.5]), by: 'connection', seed: random.below(9) });
      return;
    case 3:
      engine.setClientAddresses(
        random.chance(0.5) ? [] : [{ address: Uint8Array.of(198, 18, 0, 0), prefixBits: random.pick([15, 31]) }],
      );
      return;
    case 4:
      if (lanes.length < CONFIG.limits.lanesMax) engine.addLane();
      return;
    case 5:
      if (lanes.length > 0) engine.setLaneUp(random.pick(lanes), random.chance(0.6), nowMs);
      return;
    case 6: {
      if (lanes.length === 0) return;
      const gone = random.pick(lanes);
      const others = lanes.filter((lane) => lane !== gone);
      engine.setMappings([randomMapping(random, others)], nowMs);
      if (random.chance(0.5)) rig.settle();
      engine.removeLane(gone, nowMs);
      return;
    }
    default: {
      const { targets } = randomMapping(random, lanes);
      const more = randomMapping(random, lanes, 'other').targets;
      engine.setMappings(random.chance(0.1) ? [] : [mappingTo(...targets, ...(random.chance(0.4) ? more : []))], nowMs);
    }
  }
}

function clientStep(random: Random, client: Client): Uint8Array | undefined {
  switch (random.below(12)) {
    case 0: {
      client.seq = random.below(2 ** 32);
      return client.syn();
    }
    case 1:
      return client.fin();
    case 2:
      return random.chance(0.3) ? client.reset() : undefined;
    case 3:
    case 4: {
      client.hear(random.below(1000));
      return client.acknowledge();
    }
    case 5:
      return client.packet({ seq: (client.seq - random.below(2000)) >>> 0, flags: ACK | PSH, text: random.bytes(500) });
    case 6:
      return client.packet({ seq: (client.seq + random.below(2000)) >>> 0, flags: ACK | PSH, text: random.bytes(500) });
    default: {
      if (random.chance(0.6)) client.hear(random.below(500));
      return client.send(random.bytes(1 + random.below(random.chance(0.1) ? 20_000 : 400)));
    }
  }
}

describe('hostile bytes', () => {
  it('never throw, and leave nothing behind', (context) => {
    forSeeds(context, (random) => {
      const rig = new Rig({ limits: { ...CONFIG.limits, connectionsMax: 64, sessionsMax: 64 } }, { answer: () => 10 });
      const ids: number[] = [0, 1, 0xffff_ffff];
      const clients = Array.from({ length: 4 }, (_, index) => newClient(random, 41_000 + index));
      for (let step = 0; step < 100; step += 1) {
        const client = random.pick(clients);
        const valid = clientStep(random, client) ?? client.acknowledge();
        const roll = random.below(4);
        if (roll === 0) rig.capture(valid);
        else if (roll === 1) rig.engine.ingestCaptured(batchOf([mutate(random, valid)]), rig.nowMs);
        else if (roll === 2) rig.engine.ingestCaptured(batchOf([random.bytes(random.below(120))]), rig.nowMs);
        else ingestHostile(random, rig, ids);
        for (const { sessionId } of rig.target.connections.slice(-3)) ids.push(sessionId);
        if (random.chance(0.1)) hostileEntries(random, rig);
        if (random.chance(0.2)) rig.wait(random.below(3000));
      }
      rig.engine.close(rig.nowMs);
      rig.checkEnd();
    });
  });
});

function mutate(random: Random, packet: Uint8Array): Uint8Array {
  const bytes = packet.slice(0, random.chance(0.3) ? random.below(packet.length + 1) : packet.length);
  for (let flips = 1 + random.below(4); flips > 0 && bytes.length > 0; flips -= 1) {
    // Mostly the headers.
    bytes[random.below(Math.min(bytes.length, random.chance(0.8) ? 60 : bytes.length))] = random.below(256);
  }
  return bytes;
}

/** Response records for sessions that live, with everything else at random. */
function ingestHostile(random: Random, rig: Rig, ids: readonly number[]): void {
  const flags = [ACK, ACK | PSH, SYN | ACK, RST, RST | ACK, FIN | ACK, 0, 0xff];
  const records = Array.from({ length: 1 + random.below(5) }, () => {
    const connection = rig.target.connections.at(-1);
    const near = connection === undefined || random.chance(0.3) ? random.below(2 ** 32) : connection.sndNxt;
    const ack = connection === undefined || random.chance(0.3) ? random.below(2 ** 32) : connection.rcvNxt;
    const record = recordOf({
      sessionId: random.pick(ids),
      seq: (near + random.below(9) - 4) >>> 0,
      ack: (ack + random.below(9) - 4) >>> 0,
      flags: random.pick(flags),
      window: random.below(65_536),
      payloadBytes: random.pick([0, 1, 1460, 0xffff_ffff, random.below(2 ** 32)]),
      event: random.chance(0.9) ? 0 : random.below(256),
    });
    if (random.chance(0.3)) record.set(random.bytes(28), 4);
    return record;
  });
  const batch = responseBatchOf(records);
  const count = batch.count + (random.chance(0.1) ? 2 : 0);
  rig.engine.ingestResponses(random.chance(0.9) ? 0 : random.below(4), { ...batch, count }, rig.nowMs);
}

/** A batch whose entries lie about where the packets are. */
function hostileEntries(random: Random, rig: Rig): void {
  const bytes = random.bytes(200);
  const entries = Uint32Array.from({ length: 16 }, () => random.pick([0, 20, 60, 199, 200, 201, 0xffff_ffff]));
  rig.engine.ingestCaptured({ bytes, entries, count: 4 }, rig.nowMs);
}
