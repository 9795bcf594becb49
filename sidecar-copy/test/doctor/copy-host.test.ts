import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { HostAccess } from '@trafficcopy/runtime';
import { copyFindings } from '../../src/doctor/copy-findings.js';
import { listens } from '../../src/doctor/listening-ports.js';
import { offloadFindings } from '../../src/doctor/offload-findings.js';
import { COPY_CONFIG, CopySurroundings } from '../kit/copy-surroundings.js';

function hostWith(
  files: Readonly<Record<string, string>>,
  ethtool: Readonly<Record<string, string>> | undefined,
): HostAccess {
  return {
    read: (path) => files[path],
    run: (_command, args) => {
      if (ethtool === undefined) return Promise.resolve(undefined);
      const stdout = ethtool[args.at(-1)!];
      return Promise.resolve({ status: stdout === undefined ? 71 : 0, stdout: stdout ?? '', stderr: '' });
    },
  };
}

test('a port is listened on by IPv4 or IPv6; a connection from that port is not listening', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0',
    '   1: 0100007F:0050 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0',
  ].join('\n');
  const host = hostWith({ '/proc/net/tcp': table }, undefined);
  assert.deepEqual(
    [listens(host, 8080), listens(host, 80), listens(hostWith({}, undefined), 80)],
    [true, false, undefined],
  );
});

test('LRO is what must be switched off; GRO is fine; devices that say nothing are left out', async () => {
  const on = 'Features for eth0:\ngeneric-receive-offload: on\nlarge-receive-offload: on\n';
  const off = 'Features for eth1:\ngeneric-receive-offload: on\nlarge-receive-offload: off [fixed]\n';
  const host = hostWith({}, { eth0: on, eth1: off });
  const findings = await offloadFindings(host, ['eth0', 'eth1', 'eth2']);
  assert.deepEqual(
    findings.map(({ verdict, fix }) => `${verdict} ${fix}`),
    ['warn ethtool -K eth0 lro off'],
  );
  assert.match((await offloadFindings(host, ['eth1']))[0]!.text, /^no device merges segments by LRO \(eth1\)/);
  assert.equal((await offloadFindings(hostWith({}, undefined), ['eth0']))[0]!.verdict, 'skip');
});

test('a copy of capture files is looked at for its files: it captures nothing, and online is elsewhere', async () => {
  const around = new CopySurroundings();
  around.sourceError = new Error('nothing is captured');
  const offline = {
    files: [fileURLToPath(import.meta.url), '/nonexistent.pcap', '-'],
    runs: 1,
    from: undefined,
    until: undefined,
    speed: 1,
    idleMsMax: undefined,
    rate: undefined,
  };
  const config = { ...COPY_CONFIG, mappings: [], lanes: [], offline };
  const findings = await copyFindings({ config, host: hostWith({}, undefined), edges: around, nowMs: 0 });
  const texts = findings.map(({ verdict, text }) => `${verdict} ${text}`);
  assert.deepEqual(
    texts.filter((text) => /file|input/.test(text)).map((text) => text.replace(/ \/.*/, '')),
    ['pass the capture file', 'fail the capture file', 'pass packets come from standard input'],
  );
  assert.doesNotMatch(texts.join('\n'), /captur(es|ing)|LRO|listens/);
});
