/** Settings that change while connections run. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EndpointConfig, MappingConfig } from '../../src/engine-config.js';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { ENDPOINT, mappingTo, TARGET, targetAt } from '../kit/engine-setup.js';
import { CONFIG, Rig } from '../kit/rig.js';

function endpoint(last: number, lane = 0): EndpointConfig {
  return { ...ENDPOINT, lane, address: Uint8Array.of(10, 0, 1, last) };
}

function endpoints(count: number): EndpointConfig[] {
  return Array.from({ length: count }, (_, index) => endpoint(index + 1, index));
}

function open(rig: Rig, client = new Client()): Client {
  rig.capture(client.syn(), client.acknowledge());
  return client;
}

function openMany(rig: Rig, count: number): Client[] {
  return Array.from({ length: count }, (_, index) => open(rig, new Client({ clientPort: 41_000 + index })));
}

/** A turn, and the client reads the answer. */
function turn(rig: Rig, client: Client, text: string): void {
  rig.capture(client.send(text));
  client.hear(100);
}

/** Client ports by the lane that they arrived at. */
function portsAt(rig: Rig, lane: number): string[] {
  return rig.targetOf(lane).connections.map(({ source }) => source.replace(/.*:/, ''));
}

describe('a target with several endpoints', () => {
  function rigOf(count: number): Rig {
    return new Rig({ lanes: 4, mappings: [mappingTo(targetAt('target', ...endpoints(count)))] }, answerAll);
  }

  it('gets each connection at one of them, and each of them its share', () => {
    const rig = rigOf(4);
    for (const client of openMany(rig, 400)) turn(rig, client, 'one');
    const shares = [0, 1, 2, 3].map((lane) => rig.targetOf(lane).connections.length);
    assert.equal(
      shares.reduce((sum, share) => sum + share, 0),
      400,
    );
    // Binomial(400, 0.25): five standard deviations are 43.
    for (const share of shares) assert.ok(Math.abs(share - 100) < 43, `${shares}`);
  });

  it('loses one: only its own sessions move, and nothing of the others is touched', () => {
    const rig = rigOf(4);
    const clients = openMany(rig, 100);
    for (const client of clients) turn(rig, client, 'one');
    const before = [0, 1, 2].map((lane) => portsAt(rig, lane));
    const moving = portsAt(rig, 3).length;
    rig.engine.setMappings([mappingTo(targetAt('target', ...endpoints(3)))], rig.nowMs);
    rig.settle();
    for (const client of clients) turn(rig, client, 'two');
    const after = [0, 1, 2].map((lane) => portsAt(rig, lane));
    for (const lane of [0, 1, 2]) assert.deepEqual(after[lane]!.slice(0, before[lane]!.length), before[lane]);
    assert.equal(after.flat().length, 100);
    assert.equal(rig.engine.counters.sessionsResumed, moving);
    assert.equal(rig.engine.counters.turnsDelivered, 200);
    assert.deepEqual(rig.lost(), {});
    for (const client of clients) rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.terminals(), { copied: 100 });
    rig.checkEnd();
  });

  it('gets another one: running sessions stay where they are, new connections go there too', () => {
    const rig = rigOf(1);
    const clients = openMany(rig, 40);
    rig.engine.setMappings([mappingTo(targetAt('target', ...endpoints(2)))], rig.nowMs);
    for (const client of clients) turn(rig, client, 'one');
    assert.equal(portsAt(rig, 0).length, 40);
    for (let index = 0; index < 40; index += 1) open(rig, new Client({ clientPort: 50_000 + index }));
    assert.ok(portsAt(rig, 1).length > 10);
    assert.equal(rig.engine.counters.sessionsResumed, 0);
  });

  it('gets new connections where the lane is up and not congested, while there is such an endpoint', () => {
    const rig = rigOf(2);
    rig.engine.setLaneUp(0, false, rig.nowMs);
    openMany(rig, 20);
    assert.equal(portsAt(rig, 1).length, 20);
    rig.engine.setLaneUp(0, true, rig.nowMs);
    rig.engine.setLaneCongested(1, true);
    for (let index = 0; index < 20; index += 1) open(rig, new Client({ clientPort: 50_000 + index }));
    assert.equal(portsAt(rig, 0).length, 20);
    rig.engine.setLaneCongested(0, true);
    open(rig, new Client({ clientPort: 60_000 }));
    assert.deepEqual(rig.terminals(), { shed: 1 });
  });

  it('an endpoint that moves to another lane is another endpoint', () => {
    const rig = rigOf(1);
    const client = open(rig);
    turn(rig, client, 'one');
    rig.engine.setMappings([mappingTo(targetAt('target', endpoint(1, 2)))], rig.nowMs);
    turn(rig, client, 'two');
    assert.deepEqual(rig.targetOf(0).streams(), ['one']);
    assert.equal(rig.targetOf(0).connections[0]!.state, 'reset');
    assert.deepEqual(rig.targetOf(2).streams(), ['two']);
  });

  it('what was acknowledged whole and not answered yet is delivered, and its rest is not sent elsewhere', () => {
    const rig = new Rig({ mappings: [mappingTo(targetAt('target', endpoint(1)))] }, {});
    const client = open(rig);
    rig.capture(client.send('half a request, '));
    rig.engine.setMappings([mappingTo(targetAt('target', endpoint(2)))], rig.nowMs);
    rig.settle();
    rig.capture(client.send('and its rest'));
    assert.deepEqual(rig.target.streams(), ['half a request, ']);
    assert.equal(rig.engine.counters.turnsDelivered, 1);
    assert.deepEqual(rig.lost(), { targetUnavailable: 1 });
    client.hear(100);
    rig.capture(client.send('another'));
    assert.deepEqual(rig.target.streams(), ['half a request, ', 'another']);
  });

  it('two targets that share an address and port never use one port twice', () => {
    const rig = new Rig({ mappings: [mappingTo(targetAt('a', endpoint(1)), targetAt('b', endpoint(1)))] }, answerAll);
    const client = open(rig);
    turn(rig, client, 'one');
    assert.deepEqual(rig.target.streams(), ['one', 'one']);
    assert.equal(new Set(portsAt(rig, 0)).size, 2);
  });
});

describe('targets and mappings that change', () => {
  const other = targetAt('other', { port: 81, lane: 1 });

  it('a running connection joins a new target at its next turn', () => {
    const rig = new Rig({ lanes: 2 }, answerAll);
    const client = open(rig);
    rig.capture(client.send('a long '));
    rig.engine.setMappings([mappingTo(TARGET, other)], rig.nowMs);
    rig.capture(client.send('request'));
    client.hear(100);
    turn(rig, client, 'two');
    assert.deepEqual(rig.target.streams(), ['a long requesttwo']);
    assert.deepEqual(rig.targetOf(1).streams(), ['two']);
    rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.terminals(), { copied: 2 });
  });

  it('a target that goes ends its own sessions only', () => {
    const rig = new Rig({ lanes: 2, mappings: [mappingTo(TARGET, other)] }, answerAll);
    const client = open(rig);
    turn(rig, client, 'one');
    rig.engine.setMappings([mappingTo(TARGET)], rig.nowMs);
    turn(rig, client, 'two');
    assert.deepEqual(rig.target.streams(), ['onetwo']);
    assert.deepEqual(rig.targetOf(1).streams(), ['one']);
    assert.equal(rig.targetOf(1).connections[0]!.state, 'reset');
    assert.deepEqual(rig.terminals(), { withdrawn: 1 });
  });

  it('a target that is replaced by another: the connection goes on there at its next turn, and is one connection', () => {
    const rig = new Rig({ lanes: 2 }, answerAll);
    const client = open(rig);
    turn(rig, client, 'one');
    rig.engine.setMappings([mappingTo(other)], rig.nowMs);
    turn(rig, client, 'two');
    assert.deepEqual(rig.target.streams(), ['one']);
    assert.deepEqual(rig.targetOf(1).streams(), ['two']);
    assert.equal(rig.engine.counters.connectionsSeen, 1);
    rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.terminals(), { copied: 1, withdrawn: 1 });
    assert.equal(rig.engine.connectionsOpen, 0);
  });

  it('a mapping that goes and comes again is another one', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
    turn(rig, client, 'one');
    rig.engine.setMappings([], rig.nowMs);
    turn(rig, client, 'two');
    rig.engine.setMappings(CONFIG.mappings, rig.nowMs);
    turn(rig, client, 'three');
    turn(rig, client, 'four');
    assert.deepEqual(rig.target.streams(), ['one', 'four']);
    assert.deepEqual(rig.terminals(), { withdrawn: 1 });
  });

  it('the same settings again change nothing', () => {
    const rig = new Rig({ lanes: 2, mappings: [mappingTo(TARGET, other)] }, answerAll);
    const client = open(rig);
    turn(rig, client, 'one');
    rig.target.log.length = 0;
    rig.engine.setMappings([mappingTo(other, TARGET)], rig.nowMs);
    rig.settle();
    assert.deepEqual(rig.target.log, []);
    turn(rig, client, 'two');
    assert.equal(rig.engine.counters.sessionsStarted, 2);
    assert.deepEqual(rig.targetOf(1).streams(), ['onetwo']);
  });

  it('many settings one after another use up no addresses of online and no ports of targets', () => {
    const rig = new Rig({}, answerAll);
    for (let round = 0; round < 5000; round += 1) {
      const onlineAddress = Uint8Array.of(10, 0, round >> 8, round & 255);
      const mapping: MappingConfig = { ...mappingTo(targetAt('target', { port: 1 + round })), onlineAddress };
      rig.engine.setMappings([mapping], rig.nowMs);
      const client = new Client({ onlineAddress: [...onlineAddress], clientPort: 41_000 });
      rig.capture(client.syn(), client.acknowledge());
    }
    assert.equal(rig.engine.counters.packetsUnmapped, 0);
    assert.equal(rig.engine.counters.sessionsStarted, 5000);
  });
});

describe('copies, client addresses and suspension', () => {
  it('copies change for new connections; running ones keep theirs', () => {
    const rig = new Rig({}, answerAll);
    const first = open(rig);
    rig.engine.setCopies(3);
    turn(rig, first, 'one');
    const second = open(rig, new Client({ clientPort: 41_000 }));
    turn(rig, second, 'two');
    assert.deepEqual(rig.target.streams(), ['one', 'two', 'two', 'two']);
  });

  it('client addresses change for new sessions', () => {
    const rig = new Rig({}, answerAll);
    open(rig);
    rig.engine.setClientAddresses([{ address: Uint8Array.of(192, 0, 2, 9), prefixBits: 32 }]);
    open(rig, new Client({ clientPort: 41_000 }));
    assert.deepEqual(
      rig.target.connections.map(({ source }) => source),
      ['10.0.0.1:40000', '192.0.2.9:41000'],
    );
  });

  it('connections of the loopback spread over a range, and keep their ports', () => {
    const clientAddresses = [{ address: Uint8Array.of(198, 18, 0, 0), prefixBits: 15 }];
    const rig = new Rig({ clientAddresses }, answerAll);
    for (let index = 0; index < 1000; index += 1) {
      open(rig, new Client({ clientAddress: [127, 0, 0, 1], clientPort: 41_000 + index }));
    }
    const sources = rig.target.connections.map(({ source }) => source);
    assert.equal(new Set(sources).size, 1000);
    assert.deepEqual(new Set(portsAt(rig, 0)).size, 1000);
    // Of 131,070 addresses 1,000 are the same 3.8 times.
    assert.ok(new Set(sources.map((source) => source.replace(/:.*/, ''))).size > 980);
    assert.ok(sources.every((source) => /^198\.1[89]\./.test(source)));
  });

  it('suspended and resumed: connections go on at their next turn, those that began meanwhile at their second', () => {
    const rig = new Rig({}, answerAll);
    const old = open(rig);
    turn(rig, old, 'one');
    rig.engine.setPaused(true, rig.nowMs);
    turn(rig, old, 'two');
    const young = open(rig, new Client({ clientPort: 41_000 }));
    turn(rig, young, 'ONE');
    assert.equal(rig.engine.sessionsOpen, 0);
    rig.engine.setPaused(false, rig.nowMs);
    turn(rig, old, 'three');
    turn(rig, young, 'TWO');
    turn(rig, young, 'THREE');
    assert.deepEqual(rig.target.streams(), ['one', 'three', 'THREE']);
    for (const client of [old, young]) rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.terminals(), { suspended: 1, copied: 2 });
    assert.equal(rig.engine.connectionsOpen, 0);
    assert.equal(rig.engine.heldBytes, 0);
  });
});

describe('a connection that has not said anything yet', () => {
  it('begins with its first turn after it was suspended', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
    rig.engine.setPaused(true, rig.nowMs);
    rig.engine.setPaused(false, rig.nowMs);
    turn(rig, client, 'one');
    assert.deepEqual(rig.target.streams(), ['', 'one']);
    assert.deepEqual(rig.terminals(), { suspended: 1 });
  });

  it('begins with its first turn when its only target is replaced', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
    rig.engine.setMappings([mappingTo(targetAt('other', { port: 81 }))], rig.nowMs);
    turn(rig, client, 'one');
    assert.deepEqual(rig.target.streams(), ['', 'one']);
  });
});

describe('lanes', () => {
  it('are added and removed while copying goes on; numbers are used again', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
    turn(rig, client, 'one');
    const lane = rig.engine.addLane();
    assert.equal(lane, 1);
    rig.engine.setMappings([mappingTo(targetAt('target', endpoint(1, lane)))], rig.nowMs);
    rig.settle();
    rig.engine.removeLane(0, rig.nowMs);
    assert.equal(rig.engine.outputs[0], undefined);
    turn(rig, client, 'two');
    assert.deepEqual(rig.target.streams(), ['one']);
    assert.deepEqual(rig.targetOf(1).streams(), ['two']);
    assert.equal(rig.engine.addLane(), 0);
    assert.equal(rig.engine.addLane(), 2);
  });

  it('that endpoints are reached by are not removed', () => {
    const rig = new Rig({}, answerAll);
    assert.throws(() => rig.engine.removeLane(0, rig.nowMs), /no endpoint is left/);
  });

  it('with many of them each has a small batch', () => {
    const limits = { ...CONFIG.limits, lanesMax: 256, batchBytesMax: 4 * 1024 * 1024, batchPacketsMax: 16_384 };
    const rig = new Rig({ limits, lanes: 256 });
    const sizes = rig.engine.outputs.map((output) => output!.bytes.length + output!.entries.byteLength);
    assert.ok(sizes[0]! > 4 * 1024 * 1024);
    assert.ok(sizes[255]! < 300 * 1024);
    const all = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(all < 90 * 1024 * 1024, `${all}`);
  });
});

describe('TLS', () => {
  const hello = Uint8Array.from(Buffer.from('16030102000100 01fc0303aabb'.replaceAll(' ', ''), 'hex'));
  const data = Uint8Array.from(Buffer.from('1703030045aabbcc', 'hex'));

  it('is recognised at the first octets: nothing of it goes to the target, and the port is named', () => {
    const rig = new Rig({ copies: 2 }, answerAll);
    const client = open(rig);
    rig.capture(client.send(hello));
    client.hear(3000);
    rig.capture(client.send(data), client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['', '']);
    assert.ok(rig.target.connections.every(({ state }) => state === 'reset'));
    assert.deepEqual([...rig.engine.encryptedByPort], [[80, 1]]);
    assert.deepEqual(rig.terminals(), { encrypted: 2 });
    assert.equal(rig.engine.counters.turnsCaptured, 0);
    rig.checkEnd();
  });

  it('is recognised octet by octet: the first ones wait', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
    for (const octet of hello) rig.capture(client.send(Uint8Array.of(octet)));
    assert.deepEqual(rig.target.streams(), ['']);
    assert.deepEqual(rig.terminals(), { encrypted: 1 });
    assert.deepEqual(rig.lost(), { encrypted: 1 });
    assert.equal(rig.engine.heldBytes, 0);
  });

  it('in a connection that is joined while it runs opens no target connection', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.send(data));
    client.hear(100);
    rig.capture(client.send(data));
    client.hear(100);
    rig.capture(client.send(data), client.reset());
    assert.deepEqual(rig.target.log, []);
    assert.deepEqual(rig.terminals(), { encrypted: 1 });
    assert.equal(rig.engine.connectionsOpen, 0);
  });

  it('text that begins like it is held until more comes, or the client has ended', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
    rig.capture(client.send(hello.subarray(0, 5)));
    assert.deepEqual(rig.target.streams(), ['']);
    rig.capture(client.send('plain'));
    assert.equal(rig.target.connections[0]!.received.length, 10);
    const short = open(rig, new Client({ clientPort: 41_000 }));
    rig.capture(short.send(hello.subarray(0, 5)));
    rig.capture(short.fin());
    assert.equal(rig.target.connections[1]!.received.length, 5);
  });

  it('is copied as it is where it is not to be recognised', () => {
    const rig = new Rig({ recogniseTls: false }, answerAll);
    const client = open(rig);
    rig.capture(client.send(hello));
    assert.equal(rig.target.connections[0]!.received.length, hello.length);
  });

  it('that follows plain text goes on', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
    turn(rig, client, 'STARTTLS\r\n');
    rig.capture(client.send(hello));
    assert.equal(rig.target.connections[0]!.received.length, 10 + hello.length);
  });
});
