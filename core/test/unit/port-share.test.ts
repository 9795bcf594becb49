import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PortAllocator } from '../../src/flow/port-allocator.js';
import { workerOfPort } from '../../src/flow/port-share.js';

const CLIENT = Uint8Array.of(192, 0, 2, 1);
const TARGET = 1;

describe('port shares', () => {
  it('the function is the one that native code has too', () => {
    // (port * 0x9e3779b1 mod 2^32) >> 16, by hand with big numbers.
    for (const port of [0, 1, 1024, 32_768, 40_001, 65_535]) {
      const product = (BigInt(port) * 0x9e3779b1n) & 0xffffffffn;
      for (const workers of [1, 2, 3, 16]) {
        assert.equal(workerOfPort(port, workers), Number((product >> 16n) % BigInt(workers)));
      }
    }
  });

  for (const workers of [2, 3, 4, 7, 16]) {
    it(`${workers} workers have equal shares of the ports that Linux gives out, which are of one parity`, () => {
      for (const parity of [0, 1]) {
        const counts = new Array<number>(workers).fill(0);
        let ports = 0;
        for (let port = 32_768 + parity; port < 61_000; port += 2) {
          counts[workerOfPort(port, workers)]! += 1;
          ports += 1;
        }
        const even = ports / workers;
        for (const count of counts) assert.ok(Math.abs(count - even) < even * 0.05, `${counts}`);
      }
    });
  }

  it('an allocator gives out the ports of its share only, each once, and all of them', () => {
    const workers = 3;
    const taken = new Set<number>();
    for (let worker = 0; worker < workers; worker += 1) {
      const ports = new PortAllocator(65_536, 9, { worker, workers });
      let count = 0;
      for (let port = 1024; port < 65_536; port += 1) {
        if (!ports.take(CLIENT, port, TARGET, count)) continue;
        assert.equal(workerOfPort(port, workers), worker);
        taken.add(port);
        count += 1;
      }
    }
    assert.equal(taken.size, 65_536 - 1024);
  });

  it('an allocator with a share finds a free port of its own when most are taken', () => {
    const share = { worker: 1, workers: 4 };
    const ports = new PortAllocator(65_536, 5, share);
    const found = new Set<number>();
    for (let session = 0; session < 15_000; session += 1) {
      const port = ports.takeAny(CLIENT, TARGET, session, session);
      assert.notEqual(port, 0, `session ${session} found no port`);
      assert.equal(workerOfPort(port, share.workers), share.worker);
      found.add(port);
    }
    assert.equal(found.size, 15_000);
  });
});
