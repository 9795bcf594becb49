/** --compare: what online and targets answer, side by side. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CopySummary, TRAFFIC_COPY } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { FirewallRule } from './kit/firewall-rule.js';

const OTHER_TARGET_PORT = 8081;
const REQUESTS = 2000;
const ODD_EVERY = 100;
const LOAD = { connections: 20, total: REQUESTS, requests: 50, path: '/products/#' };
/** Those that a target answers differently: 1 %. */
const ODD = Array.from({ length: REQUESTS / ODD_EVERY }, (_, index) => `GET /products/${index * ODD_EVERY}`);

interface Line {
  readonly kind: string;
  readonly request: string;
  readonly online: { readonly status: string; readonly text: string };
  readonly targets: readonly { readonly name: string; readonly differs: readonly string[]; readonly text: string }[];
}

interface Compared {
  readonly comparison: {
    readonly turns: number;
    readonly equal: number;
    readonly different: number;
    readonly noise: number;
    readonly incomparable: Readonly<Record<string, number>>;
  };
}

function comparisonOf(summary: CopySummary): Compared['comparison'] {
  return (summary as unknown as Compared).comparison;
}

/** Starts online and targets on these ports, each with its settings. */
async function serve(
  copyLab: CopyLab,
  online: Readonly<Record<string, number>>,
  targets: readonly Readonly<Record<string, number>>[],
): Promise<void> {
  await copyLab.online.program('http-service', { port: ONLINE_PORT, ...online });
  for (const [index, settings] of targets.entries()) {
    await copyLab.target.program('http-service', { port: TARGET_PORT + index, ...settings });
  }
}

function readDifferences(copyLab: CopyLab): Line[] {
  const file = join(copyLab.online.directory, 'compare.jsonl');
  assert.equal(statSync(file).mode & 0o777, 0o600, 'answers of production are for their owner only');
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  assert.equal(lines.at(-1)?.kind, 'summary');
  return lines.filter(({ kind }) => kind === 'difference');
}

function compareFlag(copyLab: CopyLab): string {
  return `--compare=${join(copyLab.online.directory, 'compare.jsonl')}`;
}

/** Exactly the odd requests are named, for exactly this target, with both answers. */
function expectOdd(differences: readonly Line[], target: string): void {
  assert.deepEqual(differences.map(({ request }) => request).sort(), [...ODD].sort());
  for (const { request, online, targets } of differences) {
    assert.deepEqual(
      targets.filter(({ differs }) => differs.length > 0).map(({ name, differs }) => [name, differs]),
      [[target, ['body']]],
      request,
    );
    assert.equal(online.status, 'HTTP/1.1 200 OK');
    const number = request.slice('GET /products/'.length);
    for (const { text } of [online, ...targets]) assert.match(text, new RegExp(`"id":${number},`));
  }
}

for (const delivery of ['tunnel', 'direct'] as const) {
  test(`${delivery}: two targets, answers with tokens of their own: exactly the 1 % that one of them answers differently are named`, () =>
    CopyLab.with({ delivery }, async (copyLab) => {
      const noisy = { noisy: 1 };
      await serve(copyLab, noisy, [noisy, { ...noisy, 'odd-every': ODD_EVERY }]);
      const [one, other] = [TARGET_PORT, OTHER_TARGET_PORT].map((port) => copyLab.targetEndpoint(port));
      await copyLab.listenForLeaks();
      await copyLab.startIntercept();
      await copyLab.startCopy({ map: `${ONLINE_PORT}-${one}+${other}`, flags: [compareFlag(copyLab)] });
      await copyLab.load(LOAD);
      const summary = await copyLab.finish();
      assert.equal(summary.turns.delivered, 2 * REQUESTS, JSON.stringify(summary.turns));
      const { turns, equal, different, noise, incomparable } = comparisonOf(summary);
      assert.deepEqual(
        { turns, equal, different, noise, incomparable },
        { turns: REQUESTS, equal: 0, different: ODD.length, noise: REQUESTS - ODD.length, incomparable: {} },
      );
      expectOdd(readDifferences(copyLab), other!);
    }));
}

test('IPv6, one target, a capture file that tcpdump made of both directions: exactly the 1 % are named', () =>
  CopyLab.with({ family: 6 }, async (copyLab) => {
    await serve(copyLab, {}, [{ 'odd-every': ODD_EVERY }]);
    const sniffer = await copyLab.online.sniff(`tcp port ${ONLINE_PORT}`, { isWhole: true });
    await copyLab.load(LOAD);
    await sniffer.stop();
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    const copy = await copyLab.startCopy({
      flags: ['-i', sniffer.file, '-a', 'max', compareFlag(copyLab)],
      waitReady: false,
    });
    await copy.process.expectEnd(60_000, [0]);
    await copyLab.intercept.stop();
    await copyLab.expectNoLeaks();
    const { turns, equal, different, incomparable } = comparisonOf(copy.summary() as unknown as CopySummary);
    assert.deepEqual(
      { turns, equal, different, incomparable },
      { turns: REQUESTS, equal: REQUESTS - ODD.length, different: ODD.length, incomparable: {} },
    );
    expectOdd(readDifferences(copyLab), copyLab.targetEndpoint(TARGET_PORT));
  }));

test('the same over ordinary connections, without intercept: exactly the 1 % are named', () =>
  CopyLab.with({}, async (copyLab) => {
    await serve(copyLab, {}, [{ 'odd-every': ODD_EVERY }]);
    const sniffer = await copyLab.online.sniff(`tcp port ${ONLINE_PORT}`, { isWhole: true });
    await copyLab.load(LOAD);
    await sniffer.stop();
    const summaryFile = join(copyLab.online.directory, 'summary.json');
    const target = copyLab.targetEndpoint(TARGET_PORT);
    const copy = await copyLab.online.start('copy', TRAFFIC_COPY, [
      ...['copy', '-x', `${ONLINE_PORT}-${target}`, '-i', sniffer.file, '-a', 'max', '--connect'],
      ...[compareFlag(copyLab), '--summary', summaryFile, '--state', join(copyLab.online.directory, 'state')],
    ]);
    await copy.expectEnd(60_000, [0]);
    const { equal, different, incomparable } = comparisonOf(
      JSON.parse(readFileSync(summaryFile, 'utf8')) as CopySummary,
    );
    assert.deepEqual(
      { equal, different, incomparable },
      { equal: REQUESTS - ODD.length, different: ODD.length, incomparable: {} },
    );
    expectOdd(readDifferences(copyLab), target);
  }));

test('clients on 127.0.0.1, whose packets are seen twice, and -n 2: each turn is compared once', () =>
  CopyLab.with({ copyFlags: ['-c', '10.77.0.200', '-n', '2'] }, async (copyLab) => {
    await serve(copyLab, {}, [{ 'odd-every': ODD_EVERY }]);
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    await copyLab.startCopy({ flags: [compareFlag(copyLab)] });
    const load = {
      host: '127.0.0.1',
      port: ONLINE_PORT,
      connections: 5,
      total: 400,
      requests: 20,
      path: '/products/#',
    };
    const generator = await copyLab.online.program('load-generator', load);
    await generator.ask('run');
    const summary = await copyLab.finish();
    assert.equal(summary.turns.delivered, 800, JSON.stringify(summary.turns));
    const { turns, equal, different, incomparable } = comparisonOf(summary);
    assert.deepEqual(
      { turns, equal, different, incomparable },
      { turns: 400, equal: 396, different: 4, incomparable: {} },
    );
    const requests = readDifferences(copyLab).map(({ request }) => request);
    assert.deepEqual(requests.sort(), ODD.slice(0, 4).sort());
  }));

test('a target whose answers all have another length: each is named, and none is taken for the answer to another request', () =>
  CopyLab.with({}, async (copyLab) => {
    await serve(copyLab, { version: 1 }, [{ version: 2 }]);
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    await copyLab.startCopy({ flags: [compareFlag(copyLab)] });
    await copyLab.load({ connections: 5, total: 200, requests: 40, path: '/products/#' });
    const { turns, different, incomparable } = comparisonOf(await copyLab.finish());
    assert.deepEqual({ turns, different, incomparable }, { turns: 200, different: 200, incomparable: {} });
    const differences = readDifferences(copyLab);
    assert.equal(new Set(differences.map(({ request }) => request)).size, 200);
    for (const { request, targets } of differences) {
      assert.deepEqual([...targets[0]!.differs].sort(), ['body', 'x-version']);
      const number = request.slice('GET /products/'.length);
      assert.match(targets[0]!.text, new RegExp(`"id":${number},`));
    }
  }));

test('answers of 100 kB, 5 % of the responses lost before intercept sees them: what is equal is called equal', () =>
  CopyLab.with({ delivery: 'direct' }, async (copyLab) => {
    for (const [host, port] of [
      [copyLab.online, ONLINE_PORT],
      [copyLab.target, TARGET_PORT],
    ] as const) {
      await host.program('recording-server', { port, 'response-bytes': 100_000 });
    }
    await FirewallRule.insert(copyLab.target, {
      chain: 'OUTPUT',
      match: '-p tcp -m mark --mark 0x8ed0/0xfffffff0',
      probability: 0.05,
    });
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    await copyLab.startCopy({ flags: [compareFlag(copyLab)] });
    await copyLab.load({ connections: 10, requests: 20, 'connections-total': 10 });
    const { turns, equal, different, incomparable } = comparisonOf(await copyLab.finish());
    assert.equal(turns, 200);
    assert.equal(different, 0);
    // A header may be lost for good, with the octets that it had.
    assert.equal(equal + (incomparable['targetIncomplete'] ?? 0), turns, JSON.stringify(incomparable));
  }));
