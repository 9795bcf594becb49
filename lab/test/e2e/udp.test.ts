/** UDP: DNS questions to online are asked a target as well, and no answer of it leaves its host. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  Dnsmasq,
  type DnsQuery,
  eventually,
  type LabHost,
  type Summary,
  TrafficCopy,
  Unbound,
} from '../../src/index.js';
import { CopyLab, type CopyLabOptions } from './kit/copy-lab.js';

const PORT = 53;
const QUESTIONS = 200;
/** Questions without a pause: three copies of each fit into the socket of a target that has not read one yet. */
const GROUP = 40;
/** Addresses that nobody in the lab has. */
const CLIENTS = { 4: '198.18.7.0/24', 6: 'fd18:7::/120' } as const;

interface DatagramSummary {
  readonly datagrams: {
    readonly captured: number;
    readonly copies: number;
    readonly delivered: number;
    readonly unreachable: number;
    readonly pending: number;
    readonly lost: number;
    readonly lostByReason: Readonly<Record<string, number>>;
  };
}

function udpLab(flags: readonly string[], options: CopyLabOptions = {}): CopyLabOptions {
  const { family = 4 } = options;
  return {
    onlinePort: PORT,
    targetPort: PORT,
    udp: true,
    copyFlags: ['--udp', '-c', CLIENTS[family], ...flags],
    interceptFlags: ['--udp-clients', CLIENTS[family]],
    ...options,
  };
}

/** An answer has a way out, straight to the client: only intercept keeps it in. */
async function letAnswersOut({ target, client, family }: CopyLab): Promise<void> {
  await target.expect('ip', [`-${family}`, 'route', 'add', CLIENTS[family], 'via', client.address(family)]);
}

/**
 * Asks online for so many names, each from a port of its own, and expects an answer to each. `follow` waits until the target has read as many
 * questions, before its socket has no room for more.
 */
async function ask(
  { client, online, family }: CopyLab,
  count: number,
  word = 'q',
  follow: (asked: number) => Promise<unknown> = async () => {},
): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `${word}${index}.copied.test`);
  const file = join(client.directory, `${word}.names`);
  const words = ['+short', '+tries=1', '+time=10', `@${online.address(family)}`, '-p', String(PORT), '-f', file];
  for (let asked = 0; asked < count; asked += GROUP) {
    const group = names.slice(asked, asked + GROUP);
    writeFileSync(file, group.map((name) => `${name}\n`).join(''));
    const said = await client.expect('dig', words);
    assert.equal(said.trim().split('\n').length, group.length, 'online answered every question');
    await follow(asked + group.length);
  }
  return names;
}

/** Waits until a server has been asked so many questions. */
function reached(names: () => readonly unknown[], count: number): Promise<unknown> {
  return eventually(`${count} questions at the target`, 20_000, () => names().length >= count);
}

/** How often each name was asked for. */
function timesOf(names: readonly string[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const name of names) times.set(name, (times.get(name) ?? 0) + 1);
  return times;
}

function expectTimes(asked: readonly string[], atTarget: readonly string[], times: number): void {
  const got = timesOf(atTarget);
  assert.deepEqual(
    asked.filter((name) => got.get(name) !== times).map((name) => `${name}: ${got.get(name) ?? 0}`),
    [],
  );
  assert.equal(atTarget.length, asked.length * times);
}

function uniqueEnds(queries: readonly DnsQuery[]): number {
  return new Set(queries.map(({ from }) => from)).size;
}

function datagramsOf(summary: unknown): DatagramSummary['datagrams'] {
  return (summary as DatagramSummary).datagrams;
}

/** Ends copy and intercept, and expects that nothing leaked; both summaries. */
async function finish(copyLab: CopyLab): Promise<{ copy: DatagramSummary['datagrams']; intercept: Summary }> {
  const copy = datagramsOf(await copyLab.copy.stop());
  const intercept = await copyLab.intercept.stop();
  await copyLab.expectNoLeaks();
  return { copy, intercept };
}

for (const family of [4, 6] as const) {
  test(`IPv${family}, -n 3 of ${QUESTIONS} questions to dnsmasq: each is asked three times, and clients hear of online only`, () =>
    CopyLab.with(udpLab(['-n', '3'], { family }), async (copyLab) => {
      const online = await Dnsmasq.start(copyLab.online, PORT);
      const target = await Dnsmasq.start(copyLab.target, PORT);
      await letAnswersOut(copyLab);
      await copyLab.start();
      const names = await ask(copyLab, QUESTIONS, 'q', (asked) => reached(() => target.queries(), 3 * asked));
      const { copy } = await finish(copyLab);
      const queries = target.queries();
      expectTimes(
        names,
        queries.map(({ name }) => name),
        3,
      );
      expectTimes(
        names,
        online.queries().map(({ name }) => name),
        1,
      );
      assert.equal(
        uniqueEnds(queries),
        3 * uniqueEnds(online.queries()),
        'each copy has an address and port of its own',
      );
      assert.ok(queries.every(({ from }) => from.startsWith(family === 4 ? '198.18.7.' : 'fd18:7::')));
      const { captured, copies, delivered, pending, lost } = copy;
      assert.deepEqual([captured, copies, delivered, pending, lost], [QUESTIONS, 600, 600, 0, 0]);
    }));
}

test('unbound, with two workers on either side: each question is asked once', () =>
  CopyLab.with(
    udpLab(['--threads', '2'], { interceptFlags: ['--udp-clients', CLIENTS[4], '--threads', '2'] }),
    async (copyLab) => {
      await Dnsmasq.start(copyLab.online, PORT);
      const target = await Unbound.start(copyLab.target, PORT);
      await letAnswersOut(copyLab);
      await copyLab.start();
      const names = await ask(copyLab, QUESTIONS, 'q', (asked) => reached(() => target.names(), asked));
      const { copy } = await finish(copyLab);
      expectTimes(names, target.names(), 1);
      assert.deepEqual([copy.captured, copy.delivered, copy.lost], [QUESTIONS, QUESTIONS, 0]);
    },
  ));

test('nobody listens at the target: its ICMP errors stay there, and intercept says it', () =>
  CopyLab.with(udpLab([]), async (copyLab) => {
    await Dnsmasq.start(copyLab.online, PORT);
    await letAnswersOut(copyLab);
    await copyLab.target.expect('sysctl', ['-qw', 'net.ipv4.icmp_ratelimit=0']);
    await copyLab.start();
    await ask(copyLab, 20);
    await copyLab.intercept.process.waitForLine(/does not listen|port unreachable/);
    await copyLab.copy.process.waitForLine(/nobody listens on their port/);
    await copyLab.copy.waitForMetric('trafficcopy_copy_datagrams_unreachable_total', 20);
    const { copy } = await finish(copyLab);
    assert.deepEqual([copy.delivered, copy.unreachable], [20, 20]);
  }));

test('intercept killed with questions under way: nothing leaks; they are lost as channelLost, and go on with its successor', () =>
  CopyLab.with(udpLab([]), async (copyLab) => {
    await Dnsmasq.start(copyLab.online, PORT);
    const target = await Dnsmasq.start(copyLab.target, PORT);
    await letAnswersOut(copyLab);
    await copyLab.start();
    const first = await ask(copyLab, 50, 'before', (asked) => reached(() => target.queries(), asked));
    await copyLab.intercept.process.stop('SIGKILL');
    await copyLab.copy.waitForMetric('trafficcopy_copy_lane_losses_total', 1);
    const between = await ask(copyLab, 50, 'between');
    await copyLab.startIntercept({ name: 'successor', stateOf: 'intercept' });
    await copyLab.copy.waitForMetric('trafficcopy_copy_lane_connects_total', 2);
    const last = await ask(copyLab, 50, 'after', (asked) => reached(() => target.queries(), 50 + asked));
    const { copy } = await finish(copyLab);
    expectTimes(
      [...first, ...last],
      target.queries().map(({ name }) => name),
      1,
    );
    assert.equal(between.length, 50);
    assert.deepEqual([copy.captured, copy.delivered, copy.lostByReason['channelLost']], [150, 100, 50]);
  }));

test('-n 100 of 100 recorded questions: 10,000, each from an address and port of its own', () =>
  CopyLab.with(udpLab([]), async (copyLab) => {
    const online = await Dnsmasq.start(copyLab.online, PORT);
    const sniffer = await copyLab.online.sniff(`udp port ${PORT}`, { isWhole: true });
    const names = await ask(copyLab, 100);
    await sniffer.stop();
    const target = await Dnsmasq.start(copyLab.target, PORT);
    await letAnswersOut(copyLab);
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    // As fast as a resolver that writes down every question can follow.
    const flags = ['-i', sniffer.file, '-n', '100', '--rate', '8req'];
    const copy = await copyLab.startCopy({ flags, waitReady: false });
    await copy.process.expectEnd(60_000, [0]);
    await reached(() => target.queries(), 10_000);
    await copyLab.intercept.stop();
    await copyLab.expectNoLeaks();
    const queries = target.queries();
    expectTimes(
      names,
      queries.map(({ name }) => name),
      100,
    );
    assert.equal(uniqueEnds(queries), 100 * uniqueEnds(online.queries()));
    const { captured, delivered, lost } = datagramsOf(copy.summary());
    assert.deepEqual([captured, delivered, lost], [100, 10_000, 0]);
  }));

/** Starts a copy that ends by itself, and returns what it said. */
async function refusedCopy(copyLab: CopyLab, interceptFlags: readonly string[]): Promise<string> {
  const intercept = await TrafficCopy.intercept(copyLab.target, { flags: interceptFlags });
  const copy = await TrafficCopy.copy(copyLab.online, {
    map: `${PORT}-${copyLab.targetEndpoint(PORT)}`,
    join: await intercept.joinToken(),
    flags: ['--udp', '-c', CLIENTS[4]],
    waitReady: false,
  });
  await copy.process.expectEnd(30_000, [1]);
  await intercept.stop();
  return copy.process.tail();
}

test('an intercept without --udp-clients, or with other ranges, is refused in words', async () => {
  await CopyLab.with({}, async (copyLab) => {
    assert.match(await refusedCopy(copyLab, []), /takes no UDP: start it with --udp-clients/);
  });
  await CopyLab.with({}, async (copyLab) => {
    const said = await refusedCopy(copyLab, ['--udp-clients', '198.19.0.0/16']);
    assert.match(said, /takes UDP from 198\.19\.0\.0\/16 only .* -c has others, like 198\.18\.7\.1/);
  });
});

async function loadOf(client: LabHost, online: string): Promise<number> {
  const file = join(client.directory, 'load.names');
  writeFileSync(file, Array.from({ length: 1000 }, (_, index) => `l${index}.copied.test A\n`).join(''));
  const said = await client.expect('dnsperf', ['-s', online, '-d', file, '-c', '10', '-l', '3', '-Q', '2000']);
  assert.match(said, /Queries lost:\s+0 /);
  return Number(/Queries sent:\s+(\d+)/.exec(said)?.[1]);
}

test('dnsperf for three seconds: as many datagrams are delivered as were sent, and online loses none', () =>
  CopyLab.with(udpLab(['-n', '2']), async (copyLab) => {
    await Dnsmasq.start(copyLab.online, PORT);
    await Dnsmasq.start(copyLab.target, PORT);
    await letAnswersOut(copyLab);
    await copyLab.start();
    const sent = await loadOf(copyLab.client, copyLab.online.ipv4);
    // What came last is in a block of the capture that is handed over in a moment.
    await copyLab.copy.waitForMetric('trafficcopy_copy_datagrams_delivered_total', 2 * sent);
    const { copy } = await finish(copyLab);
    assert.ok(sent > 1000, `${sent} questions`);
    assert.deepEqual([copy.captured, copy.delivered, copy.lost], [sent, 2 * sent, 0]);
  }));
