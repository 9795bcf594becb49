import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PacketHeader, parsePacket } from '@trafficcopy/core';
import fc from 'fast-check';
import { FlowBudget } from '../../src/targets/flow-budget.js';
import { FLOWS_AT_START, FlowRegistry } from '../../src/targets/flow-registry.js';
import { craftPacket } from '../kit/crafted-packet.js';
import { TEMPLATE } from '../kit/pipeline-rig.js';

interface Step {
  readonly what: 'open' | 'remove' | 'assign';
  readonly port: number;
  readonly isV6: boolean;
  readonly owner: number;
  readonly session: number;
}

const steps = fc.array(
  fc.record({
    what: fc.constantFrom('open' as const, 'open' as const, 'remove' as const, 'assign' as const),
    port: fc.integer({ min: 1, max: 6 }),
    isV6: fc.boolean(),
    owner: fc.nat(2),
    session: fc.nat(4),
  }),
  { maxLength: 60 },
);

function parsed(port: number, isV6: boolean): { bytes: Uint8Array; header: PacketHeader } {
  const addresses = isV6 ? { source: '2001:db8::1', destination: 'fd00::3' } : {};
  // Few endpoints, so that they run out and come back.
  const bytes = craftPacket({ ...TEMPLATE, ...addresses, sourcePort: 100 + port, destinationPort: 1 + (port % 3) });
  const header = new PacketHeader();
  parsePacket(bytes, 0, bytes.length, bytes.length, header);
  return { bytes, header };
}

it('finds by packet, by session and by owner what a plain model finds, whatever happens', () => {
  fc.assert(
    fc.property(steps, (list: Step[]) => {
      const flows = new FlowRegistry({ flowsMax: 5, endpointsMax: 4, ownersMax: 3, seed: 99 });
      const model = new Map<string, { owner: number; session: number }>();
      for (const { what, port, isV6, owner, session } of list) {
        const { bytes, header } = parsed(port, isV6);
        const key = `${port}/${isV6}`;
        const flow = flows.findSent(bytes, header);
        assert.equal(flow >= 0, model.has(key));
        const dropSession = (): void => {
          for (const [other, entry] of model) {
            if (other !== key && entry.owner === owner && entry.session === session) model.delete(other);
          }
        };
        if (what === 'open' && flow < 0) {
          const opened = flows.open(bytes, header, owner, session, 0);
          if (opened >= 0) {
            dropSession();
            model.set(key, { owner, session });
          } else {
            const endpoints = new Set([...model.keys()].map((text) => `${Number(text[0]) % 3}${text.slice(1)}`));
            assert.ok(model.size === 5 || endpoints.size >= 4, 'refused only when full');
          }
        } else if (what === 'remove' && flow >= 0) {
          flows.remove(flow);
          model.delete(key);
        } else if (what === 'assign' && flow >= 0) {
          flows.assign(flow, owner, session);
          dropSession();
          model.set(key, { owner, session });
        }
        check(flows, model);
      }
    }),
  );
});

function check(flows: FlowRegistry, model: ReadonlyMap<string, { owner: number; session: number }>): void {
  assert.equal(flows.size, model.size);
  for (const [key, { owner, session }] of model) {
    const [port, isV6] = key.split('/');
    const { bytes, header } = parsed(Number(port), isV6 === 'true');
    const flow = flows.findSent(bytes, header);
    assert.equal(flows.ownerOf(flow), owner);
    assert.equal(flows.sessionIdOf(flow), session);
    assert.equal(flows.findSession(owner, session), flow);
  }
  let listed = 0;
  for (let owner = 0; owner < 3; owner += 1) {
    for (let flow = flows.firstOf(owner); flow >= 0; flow = flows.nextOf(flow)) {
      assert.equal(flows.ownerOf(flow), owner);
      listed += 1;
    }
  }
  assert.equal(listed, model.size);
}

describe('flow tables that share a budget', () => {
  const options = { flowsMax: 4 * FLOWS_AT_START, endpointsMax: 8, ownersMax: 3, seed: 99 };

  /** Opens flows until none more fits; returns how many did. */
  function fill(flows: FlowRegistry): number {
    for (let count = 0; ; count += 1) {
      const { bytes, header } = parsed(count, false);
      if (flows.open(bytes, header, 0, count, 0) === -1) return count;
    }
  }

  it('grow as long as there is room, and every flow is found as before', () => {
    const flows = new FlowRegistry({ ...options, budget: new FlowBudget(3 * FLOWS_AT_START) });
    assert.equal(fill(flows), options.flowsMax);
    for (const count of [0, FLOWS_AT_START - 1, FLOWS_AT_START, options.flowsMax - 1]) {
      const { bytes, header } = parsed(count, false);
      const flow = flows.findSent(bytes, header);
      assert.equal(flows.sessionIdOf(flow), count);
      assert.equal(flows.findSession(0, count), flow);
    }
  });

  it('are full when another has taken the budget, and what a released one gives back can be had', () => {
    const budget = new FlowBudget(3 * FLOWS_AT_START);
    const busy = new FlowRegistry({ ...options, budget });
    const quiet = new FlowRegistry({ ...options, budget });
    assert.equal(fill(busy), options.flowsMax);
    assert.equal(fill(quiet), FLOWS_AT_START, 'what every table has from the start');
    busy.release();
    assert.equal(budget.left, 3 * FLOWS_AT_START);
    const { bytes, header } = parsed(FLOWS_AT_START, false);
    assert.notEqual(quiet.open(bytes, header, 0, FLOWS_AT_START, 0), -1);
  });
});
