import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Lab, TRAFFIC_COPY } from '@trafficcopy/lab';
import { CopyRig } from '../kit/copy-rig.js';

const NEEDS_ROOT = { skip: process.geteuid?.() === 0 ? false : 'needs root' };
const MAP = ['-x', '80-10.77.0.3:8080'];

interface WrongUse {
  readonly what: string;
  readonly words: readonly string[];
  readonly status: number;
  readonly says: RegExp;
}

const WRONG_USES: readonly WrongUse[] = [
  {
    what: 'a filter that libpcap does not understand',
    words: ['--insecure', '-F', 'host host'],
    status: 2,
    says: /-F\/--filter: .*host host.*syntax error/,
  },
  {
    what: 'an interface that is not there',
    words: ['--insecure', '-i', 'nope0'],
    status: 1,
    says: /nope0.*no such interface/,
  },
  {
    what: 'neither certificate nor token',
    words: [],
    status: 1,
    says: /no certificate.*trafficcopy intercept --new-token.*10\.77\.0\.3/,
  },
  {
    what: 'a token that is cut off',
    words: ['--join', 'tc1.abcdefgh'],
    status: 2,
    says: /--join.*whole token/,
  },
];

for (const { what, words, status, says } of WRONG_USES) {
  test(`${what}: refused with ${status}, and nothing is written`, NEEDS_ROOT, () =>
    Lab.with({}, async (lab) => {
      const record = join(lab.directory, 'record.pcapng');
      const args = ['copy', ...MAP, '--state', join(lab.directory, 'state'), ...words];
      const { status: end, stderr } = await lab.online.run(TRAFFIC_COPY, args);
      assert.match(stderr, says);
      assert.equal(end, status);
      assert.equal(existsSync(record), false);
    }),
  );
}

test('without CAP_NET_RAW: refused with 1, saying so and what to do', NEEDS_ROOT, () =>
  Lab.with({}, async (lab) => {
    const args = ['--bounding-set=-net_raw', TRAFFIC_COPY, 'copy', ...MAP, '--insecure'];
    const { status, stderr } = await lab.online.run('setpriv', args);
    assert.match(stderr, /CAP_NET_RAW.*setcap/);
    assert.equal(status, 1);
  }),
);

test('a token that was used: refused with 1 and the reason', NEEDS_ROOT, () =>
  CopyRig.with({ tls: true }, async (rig) => {
    const first = await rig.startCopy();
    await first.stop();
    const second = await rig.startCopy({ name: 'second', waitReady: false });
    await second.process.expectEnd(20_000, [1]);
    assert.match(second.process.tail(), /tokenUsed/);
  }),
);

test('plain TCP to an intercept with TLS: refused with 1 or tried again, and said', NEEDS_ROOT, () =>
  CopyRig.with({ tls: true }, async (rig) => {
    const copy = await rig.startCopy({ join: 'insecure', waitReady: false });
    await copy.process.waitForLine(/production is not affected|refused/);
  }),
);
