import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab, type LoadReport, reapDeadLabs, type StreamRecord } from '../../src/index.js';

const OWNER = fileURLToPath(new URL('./lab-owner.js', import.meta.url));

function namespacesOf(labName: string): string[] {
  return readdirSync('/run/netns').filter((name) => name.startsWith(`${labName}.`));
}

async function ownerOfLab(): Promise<{ child: ChildProcess; labName: string; guestPid: number }> {
  const child = spawn(process.execPath, [OWNER], { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(child.stdout !== null);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [labName = '', guestPid] = line.split(' ');
  return { child, labName, guestPid: Number(guestPid) };
}

test('hosts reach each other over IPv4 and IPv6, and the streams that a server records are those that were sent', async () => {
  await Lab.with({}, async (lab) => {
    const server = await lab.online.program('recording-server', { port: 80 });
    for (const family of [4, 6] as const) {
      const load = await lab.client.program('load-generator', {
        host: lab.online.address(family),
        port: 80,
        connections: 2,
        'connections-total': 4,
        requests: 5,
      });
      const report = await load.ask<LoadReport>('run');
      assert.equal(report.responses, 20);
      assert.deepEqual(report.errors, {});
    }
    const streams = await server.ask<StreamRecord[]>('report');
    assert.equal(streams.length, 8);
    assert.deepEqual(new Set(streams.map((stream) => stream.requests)), new Set([5]));
    assert.equal(streams.filter((stream) => stream.client.startsWith(`[${lab.client.ipv6}]`)).length, 4);
  });
});

test('with wire «segments» no packet is larger than the MTU', async () => {
  await Lab.with({ wire: 'segments' }, async (lab) => {
    await lab.online.program('recording-server', { port: 80, 'response-bytes': 200_000 });
    const large = await lab.online.sniff('tcp src port 80 and greater 1515');
    const load = await lab.client.program('load-generator', {
      host: lab.online.ipv4,
      port: 80,
      total: 5,
      connections: 1,
    });
    const report = await load.ask<LoadReport>('run');
    assert.equal(report.responses, 5);
    assert.equal(await large.stop(), 0);
  });
});

test('a sniffer sees what its host receives, and nothing that is for others', async () => {
  await Lab.with({}, async (lab) => {
    await lab.online.program('recording-server', { port: 80 });
    const own = await lab.online.sniff('tcp dst port 80');
    const foreign = await lab.target.sniff('tcp port 80');
    const load = await lab.client.program('load-generator', {
      host: lab.online.ipv4,
      port: 80,
      total: 3,
      connections: 1,
    });
    await load.ask('run');
    assert.ok((await own.stop()) >= 5);
    assert.equal(await foreign.stop(), 0);
  });
});

test('a closed lab leaves no namespace, no directory and no process', async () => {
  const lab = await Lab.create();
  const guest = await lab.target.start('guest', 'sleep', ['1000']);
  const daemon = await lab.target.expect('sh', ['-c', 'setsid sleep 1000 >/dev/null 2>&1 & echo $!']);
  await lab.close();
  assert.deepEqual(namespacesOf(lab.name.toString()), []);
  assert.equal(existsSync(lab.directory), false);
  assert.equal(guest.isRunning, false);
  assert.equal(existsSync(`/proc/${daemon.trim()}`) && existsSync(`/proc/${daemon.trim()}/exe`), false);
});

test('an owner that is interrupted removes its lab before it ends', async () => {
  const { child, labName } = await ownerOfLab();
  child.kill('SIGTERM');
  const [status] = (await once(child, 'exit')) as [number];
  assert.equal(status, 143);
  assert.deepEqual(namespacesOf(labName), []);
});

test('what a killed owner left is removed by the next lab', async () => {
  const { child, labName, guestPid } = await ownerOfLab();
  assert.ok(namespacesOf(labName).length >= 4);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(reapDeadLabs().includes(labName));
  assert.deepEqual(namespacesOf(labName), []);
  assert.equal(existsSync(`/proc/${guestPid}/exe`), false);
});

test('a living owner keeps its lab when another one reaps', async () => {
  const { child, labName } = await ownerOfLab();
  reapDeadLabs();
  assert.ok(namespacesOf(labName).length >= 4);
  child.kill('SIGTERM');
  await once(child, 'exit');
});
