import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SilenceNotice } from '../../src/capture/silence-notice.js';
import type { noFigures } from '../../src/copy-figures.js';
import { COPY_CONFIG } from '../kit/copy-surroundings.js';

const SOURCE = { name: 'any', packets: 0, drops: 0, freezes: 0, interfaceState: 'up' } as const;

function look(elapsedMs: number, packets: number, isUp = true) {
  const lane = { name: '10.0.0.2:36524', isUp } as ReturnType<typeof noFigures>['lanes'][number];
  return () => ({ elapsedMs, sources: [{ ...SOURCE, packets }], lanes: [lane] });
}

describe('a live capture that has had nothing', () => {
  const looked = { ...COPY_CONFIG, filter: undefined, interfaces: [], udp: false };

  it('is told once after half a minute, with what to look at', () => {
    const notice = new SilenceNotice(looked);
    assert.equal(notice.check(look(29_999, 0)), undefined);
    assert.equal(
      notice.check(look(30_000, 0)),
      'nothing has arrived at port 80 yet: is there traffic, is it for an address of this host, is it UDP (--udp)?',
    );
    assert.equal(notice.check(look(60_000, 0)), undefined);
  });

  it('is not where a packet has come, and then nobody looks any more', () => {
    const notice = new SilenceNotice(looked);
    assert.equal(notice.check(look(1000, 1)), undefined);
    assert.equal(
      notice.check(() => assert.fail('it is known')),
      undefined,
    );
  });

  it('is not while there is no way to any target', () => {
    const notice = new SilenceNotice(looked);
    assert.equal(notice.check(look(0, 0, false)), undefined);
    assert.equal(notice.check(look(40_000, 0, false)), undefined);
    assert.match(notice.check(look(41_000, 0)) ?? '', /nothing has arrived/);
  });

  it('the words follow what was asked for', () => {
    const notice = new SilenceNotice({ ...looked, udp: true, interfaces: ['eth0', 'lo'], filter: 'host 10.0.0.9' });
    const text = notice.check(look(30_000, 0)) ?? '';
    assert.match(text, /is it TCP \(leave out --udp\), does it come by eth0 or lo \(-i\), does -F leave it out\?$/);
  });
});
