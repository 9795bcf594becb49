/** What a meter is told of the answers of a target. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LossReason } from '../../src/counters.js';
import type { TargetMeter } from '../../src/session/target-meter.js';
import { Client } from '../kit/client.js';
import { mappingTo, targetAt } from '../kit/engine-setup.js';
import { Rig } from '../kit/rig.js';

/** Keeps what it is told, as words. */
class Meter implements TargetMeter {
  readonly told: string[] = [];
  connected(): void {
    this.told.push('connected');
  }
  delivered(octets: number): void {
    this.told.push(`delivered ${octets}`);
  }
  lost(reason: LossReason, turns: number): void {
    this.told.push(`lost ${turns} ${reason}`);
  }
  octets(octets: number): void {
    this.told.push(`octets ${octets}`);
  }
  firstOctet(elapsedUs: number): void {
    this.told.push(`first ${elapsedUs}`);
  }
  lastOctet(elapsedUs: number, nowMs: number): void {
    this.told.push(`last ${elapsedUs} at ${nowMs}`);
  }
  /** The times so far. */
  times(): string[] {
    return this.told.filter((word) => /^(first|last)/.test(word));
  }
}

/** One client, connected, towards a target that answers when it is told to. */
class Stage {
  readonly meter = new Meter();
  readonly client = new Client();
  readonly rig: Rig;
  elapsed = 0;

  constructor(config: ConstructorParameters<typeof Rig>[0] = {}) {
    this.rig = new Rig({ meterFor: () => this.meter, ...config }, { answer: () => 0, elapsed: () => this.elapsed });
    this.rig.capture(this.client.syn(), this.client.acknowledge());
  }

  send(text: string, answerBefore = 0): void {
    this.client.hear(answerBefore);
    this.rig.capture(this.client.send(text));
  }

  answer(octets: number, elapsed = 0): void {
    this.elapsed = elapsed;
    this.rig.target.send(this.rig.target.connections.at(-1)!, octets);
    this.rig.settle();
  }
}

describe('the times of answers', () => {
  it('are those between sending and hearing here where intercept says none', () => {
    const stage = new Stage();
    stage.send('request');
    stage.rig.wait(30);
    stage.answer(60);
    stage.rig.wait(5);
    stage.answer(40);
    assert.deepEqual(stage.meter.times(), ['first 30000']);
    stage.send('another', 100);
    assert.deepEqual(stage.meter.told, [
      'connected',
      'octets 60',
      'first 30000',
      'delivered 7',
      'octets 40',
      'last 35000 at 1035',
    ]);
  });

  it('keep the fractions of the caller’s clock', () => {
    const stage = new Stage();
    stage.rig.nowMs += 0.25;
    stage.send('request');
    stage.rig.nowMs += 1.5;
    stage.answer(10);
    assert.deepEqual(stage.meter.times(), ['first 1500']);
  });

  it('are those that intercept says, whatever the way takes', () => {
    const stage = new Stage();
    stage.send('request');
    stage.rig.wait(30);
    stage.answer(60, 1234);
    stage.rig.wait(30);
    stage.answer(40, 2345);
    stage.send('another', 100);
    assert.deepEqual(stage.meter.times(), ['first 12340', 'last 23450 at 1060']);
  });

  it('are never longer than the time here: intercept may count from what went before', () => {
    const stage = new Stage();
    stage.send('request');
    stage.rig.wait(3);
    stage.answer(60, 5000);
    assert.deepEqual(stage.meter.times(), ['first 3000']);
  });

  it('begin at the last octet of an upload, and an answer before it counts for nothing', () => {
    const stage = new Stage();
    stage.send('begins, ');
    stage.rig.wait(50);
    stage.send('ends');
    stage.rig.wait(20);
    stage.answer(3);
    assert.deepEqual(stage.meter.times(), ['first 20000']);

    const meter = new Meter();
    const early = new Rig({ meterFor: () => meter }, { window: 4, answer: () => 3 });
    const client = new Client();
    early.capture(client.syn(), client.acknowledge());
    early.capture(client.send('upload'));
    assert.deepEqual(meter.told, ['connected', 'octets 3', 'octets 3', 'first 0', 'delivered 6']);
  });

  it('the last answer of a connection ends with it', () => {
    const stage = new Stage();
    stage.send('request');
    stage.rig.wait(10);
    stage.answer(100);
    stage.client.hear(100);
    stage.rig.wait(500);
    stage.rig.capture(stage.client.fin());
    stage.rig.wait(1000);
    assert.deepEqual(stage.meter.times(), ['first 10000', 'last 10000 at 1010']);
    stage.rig.checkRest();
  });

  it('what the target says before it is asked is an answer to nothing', () => {
    const stage = new Stage();
    stage.answer(50);
    assert.deepEqual(stage.meter.told, ['connected', 'octets 50']);
  });

  it('without waiting (-W), a request that overtakes the answer before it is not measured', () => {
    const stage = new Stage({ wait: false });
    stage.send('one');
    stage.rig.wait(5);
    stage.send('two', 100);
    stage.rig.wait(5);
    stage.answer(100);
    assert.deepEqual(stage.meter.times(), []);
  });

  it('a repeated answer, and one of a closed connection, are told once', () => {
    const stage = new Stage();
    stage.send('request');
    stage.rig.wait(10);
    stage.answer(100);
    const connection = stage.rig.target.connections[0]!;
    connection.sndNxt -= 100;
    stage.answer(100);
    assert.deepEqual(
      stage.meter.told.filter((word) => word.startsWith('octets')),
      ['octets 100'],
    );
  });
});

describe('losses and targets', () => {
  it('a turn that a target refuses is lost at it, with the reason', () => {
    const meter = new Meter();
    const rig = new Rig({ meterFor: () => meter }, { refuse: true });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('request'));
    assert.deepEqual(meter.told, ['lost 1 targetRefused']);
  });

  it('each target has its own meter, asked for by its name, and one may have none', () => {
    const meters = new Map([['slow', new Meter()]]);
    const targets = [targetAt('slow', {}), targetAt('other', { port: 8081 })];
    const rig = new Rig(
      { mappings: [mappingTo(...targets)], meterFor: (name) => meters.get(name) },
      { answer: () => 9 },
    );
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('request'));
    assert.deepEqual(meters.get('slow')?.told, ['connected', 'octets 9', 'first 0', 'delivered 7']);
    assert.equal(rig.engine.counters.turnsDelivered, 2);
  });
});
