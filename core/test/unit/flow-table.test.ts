import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FlowTable } from '../../src/flow/flow-table.js';
import { PortAllocator } from '../../src/flow/port-allocator.js';

const v4 = (...octets: number[]): Uint8Array => Uint8Array.from(octets);

describe('the flow table', () => {
  it('keeps all its flows while it grows, up to its limit and not beyond', () => {
    const flowsMax = 20_000;
    const table = new FlowTable(flowsMax, 5);
    const address = (flow: number): Uint8Array => v4(10, 0, flow >> 8, flow & 255);
    for (let flow = 0; flow < flowsMax; flow += 1) {
      assert.ok(table.set(address(flow), 0, 4, flow % 7, flow % 3, flow));
      // What was there before the last doubling.
      const earlier = flow >> 1;
      assert.equal(table.get(address(earlier), 0, 4, earlier % 7, earlier % 3), earlier);
    }
    assert.equal(table.set(v4(11, 0, 0, 1), 0, 4, 1, 1, 1), false, 'full');
    for (let flow = 0; flow < flowsMax; flow += 2) assert.ok(table.delete(address(flow), 0, 4, flow % 7, flow % 3));
    for (let flow = 0; flow < flowsMax; flow += 1) {
      assert.equal(table.get(address(flow), 0, 4, flow % 7, flow % 3), flow % 2 === 0 ? -1 : flow);
    }
    assert.equal(table.size, flowsMax / 2);
  });

  it('is a Map, whatever is done in whatever order', () => {
    // Few addresses, ports and endpoints, so that flows come again; a small table, so that probes meet and it fills up.
    const flow = fc.record({
      isLong: fc.boolean(),
      address: fc.integer({ min: 0, max: 3 }),
      port: fc.constantFrom(0, 1, 80, 65_535),
      endpoint: fc.constantFrom(0, 1, 65_535),
    });
    const step = fc.record({ kind: fc.constantFrom('set', 'set', 'get', 'delete'), flow, value: fc.nat(1000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.integer(), (steps, seed) => {
        const table = new FlowTable(24, seed);
        const model = new Map<string, number>();
        for (const { kind, flow: key, value } of steps) {
          // An endpoint has one family: that of its number here.
          const endpoint = key.isLong ? key.endpoint ^ 2 : key.endpoint;
          const bytes = new Uint8Array(20);
          bytes[key.isLong ? 19 : 7] = key.address;
          const addressBytes = key.isLong ? 16 : 4;
          const name = `${addressBytes} ${key.address} ${key.port} ${endpoint}`;
          if (kind === 'set') {
            const fits = model.has(name) || model.size < 24;
            assert.equal(table.set(bytes, 4, addressBytes, key.port, endpoint, value), fits);
            if (fits) model.set(name, value);
          } else if (kind === 'get') {
            assert.equal(table.get(bytes, 4, addressBytes, key.port, endpoint), model.get(name) ?? -1);
          } else {
            assert.equal(table.delete(bytes, 4, addressBytes, key.port, endpoint), model.delete(name));
          }
          assert.equal(table.size, model.size);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('stays right over many insertions and deletions', () => {
    const table = new FlowTable(1000, 7);
    const model = new Map<number, number>();
    let random = 12_345;
    const next = (bound: number): number => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
      return (random >>> 8) % bound;
    };
    for (let round = 0; round < 50_000; round += 1) {
      const key = next(1500);
      const address = v4(10, 0, key >> 8, key & 255);
      if (next(2) === 0) {
        const fits = model.has(key) || model.size < 1000;
        assert.equal(table.set(address, 0, 4, 1234, 3, round), fits);
        if (fits) model.set(key, round);
      } else assert.equal(table.delete(address, 0, 4, 1234, 3), model.delete(key));
    }
    for (let key = 0; key < 1500; key += 1) {
      assert.equal(table.get(v4(10, 0, key >> 8, key & 255), 0, 4, 1234, 3), model.get(key) ?? -1);
    }
  });

  it('when full takes no new flow, changes old ones, and takes one again after a deletion', () => {
    const table = new FlowTable(3, 1);
    for (let index = 0; index < 3; index += 1) assert.ok(table.set(v4(1, 1, 1, index), 0, 4, 1, 0, index));
    assert.equal(table.set(v4(1, 1, 1, 9), 0, 4, 1, 0, 9), false);
    assert.ok(table.set(v4(1, 1, 1, 0), 0, 4, 1, 0, 77));
    assert.equal(table.get(v4(1, 1, 1, 0), 0, 4, 1, 0), 77);
    assert.ok(table.delete(v4(1, 1, 1, 1), 0, 4, 1, 0));
    assert.ok(table.set(v4(1, 1, 1, 9), 0, 4, 1, 0, 9));
  });

  it('tells ports, endpoints and whole IPv6 addresses apart', () => {
    const table = new FlowTable(100, 5);
    const address = new Uint8Array(16);
    for (let octet = 0; octet < 16; octet += 1) {
      address.fill(0);
      address[octet] = 1;
      assert.ok(table.set(address, 0, 16, 443, 2, octet));
    }
    assert.equal(table.size, 16);
    address.fill(0);
    address[9] = 1;
    assert.equal(table.get(address, 0, 16, 443, 2), 9);
    assert.equal(table.get(address, 0, 16, 444, 2), -1);
    assert.equal(table.get(address, 0, 16, 443, 3), -1);
  });
});

describe('the port allocator', () => {
  const address = v4(10, 0, 0, 1);

  it('gives a port to one session at a time', () => {
    const ports = new PortAllocator(10, 1);
    assert.ok(ports.take(address, 5000, 0, 1));
    assert.equal(ports.take(address, 5000, 0, 2), false);
    assert.ok(ports.take(address, 5000, 1, 2), 'another target');
    assert.ok(ports.take(v4(10, 0, 0, 2), 5000, 0, 3), 'another address');
    ports.release(address, 5000, 0);
    assert.ok(ports.take(address, 5000, 0, 4));
  });

  it('finds other ports above the system ports (RFC 6335 6), no two the same', () => {
    const ports = new PortAllocator(5000, 9);
    const taken = new Set<number>();
    for (let index = 0; index < 5000; index += 1) {
      const port = ports.takeAny(address, 0, index, index);
      assert.ok(port >= 1024 && port <= 65_535);
      assert.equal(taken.has(port), false);
      taken.add(port);
    }
  });

  it('walks through other ports from where it starts', () => {
    const ports = new PortAllocator(5000, 9);
    const taken = new Set<number>();
    for (let index = 0; index < 1000; index += 1) taken.add(ports.takeAny(address, 0, 42, index));
    assert.equal(taken.size, 1000);
    assert.equal(taken.has(0), false);
  });

  it('gives 0 when nothing is free', () => {
    const ports = new PortAllocator(2, 9);
    ports.takeAny(address, 0, 1, 1);
    ports.takeAny(address, 0, 2, 2);
    assert.equal(ports.takeAny(address, 0, 3, 3), 0);
  });
});
