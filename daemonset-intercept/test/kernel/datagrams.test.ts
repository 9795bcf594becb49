import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type AddressRange, datagramRanges, FRAME, parseIpAddress, RECORD_DATAGRAM } from '@trafficcopy/core';
import { eventually, Lab, LabProcess, TRAFFIC_COPY } from '@trafficcopy/lab';
import { PcapngRecorder, ProgramLog, StatusLine } from '@trafficcopy/runtime';
import type { InterceptConfig } from '../../src/config.js';
import { InjectionBatch } from '../../src/injector/injection-batch.js';
import { RawPacketSender } from '../../src/injector/raw-packet-sender.js';
import { Intercept } from '../../src/intercept.js';
import { INTERCEPT_LIMITS_DEFAULT } from '../../src/limits.js';
import { craftDatagram, type DatagramTemplate } from '../kit/crafted-datagram.js';
import { kernelConfig } from '../kit/kernel-config.js';
import { dumpNamespace } from '../kit/namespace-dump.js';
import { TestCopy } from '../kit/test-copy.js';

const ECHO_PORT = 5300;
const CLOSED_PORT = 5301;
const DEADLINE_MS = 10_000;
const RANGES = { 4: '10.250.0.0/16', 6: 'fd00:c0de::/64' } as const;
const CLIENTS = { 4: '10.250.3.4', 6: 'fd00:c0de::7' } as const;
/** Answers from the port that was asked and, as TFTP does, from another one; says what it got once both have left it. */
const ECHO_SERVER = `
  const { createSocket } = require('node:dgram');
  const options = { type: 'udp6', recvBufferSize: 1 << 20, sendBufferSize: 1 << 20 };
  const [server, other] = [createSocket(options), createSocket(options)];
  const fail = (error) => error && console.log('failed ' + error.code);
  server.on('message', (data, { address, port }) => {
    server.send(data, port, address, (first) => other.send(data, port, address, (second) => {
      fail(first ?? second);
      console.log('echoed ' + data.length);
    }));
  });
  server.bind(${ECHO_PORT}, '::', () => console.log('ready'));
`;

function range(text: string): AddressRange {
  const [address = '', bits] = text.split('/');
  return { address: parseIpAddress(address)!, prefixBits: Number(bits) };
}

describe('datagrams on a real kernel', { skip: process.geteuid?.() === 0 ? false : 'needs root' }, () => {
  const { logger } = new ProgramLog({
    program: 'intercept',
    config: { logFile: undefined, logLevel: 'silent' },
    statusLine: new StatusLine(),
  });
  let lab: Lab;
  let state: string;
  let echo: LabProcess;
  const started: LabProcess[] = [];
  let port = 27_600 + (process.pid % 500) * 2;

  before(async () => {
    lab = await Lab.create();
    state = mkdtempSync(join(tmpdir(), 'tcU-state-'));
    echo = await lab.target.start('echo', process.execPath, ['-e', ECHO_SERVER]);
    await echo.waitForLine(/^ready/);
    // What no rule catches does leave.
    await lab.target.expect('ip', ['route', 'add', RANGES[4], 'via', lab.client.ipv4]);
    await lab.target.expect('ip', ['-6', 'route', 'add', RANGES[6], 'via', lab.client.ipv6]);
  });

  after(async () => {
    await Promise.all(started.map((one) => (one.isRunning ? one.stop('SIGKILL') : undefined)));
    await lab?.close();
    rmSync(state, { recursive: true, force: true });
  });

  function configOf(changes: Partial<InterceptConfig> = {}): InterceptConfig {
    port += 1;
    return kernelConfig({
      targets: [ECHO_PORT, CLOSED_PORT].map((one) => ({ address: undefined, port: one })),
      udpClients: [range(RANGES[4]), range(RANGES[6])],
      netnsPath: lab.target.netnsPath,
      port,
      stateDirectory: state,
      ...changes,
    });
  }

  async function withIntercept(
    changes: Partial<InterceptConfig>,
    work: (intercept: Intercept, copy: TestCopy) => Promise<void>,
    recorder?: PcapngRecorder,
  ): Promise<void> {
    const config = configOf(changes);
    // Nobody answers late here, but in the test that is about it.
    const limits = { ...INTERCEPT_LIMITS_DEFAULT, datagramAnswerMs: 0 };
    const intercept = await Intercept.open({ config, logger, recorder, limits });
    try {
      const copy = await new TestCopy(config.port).start();
      try {
        await work(intercept, copy);
      } finally {
        copy.close();
      }
    } finally {
      await intercept.close();
    }
  }

  /** The program itself, in a process of its own. */
  async function startProgram(config: InterceptConfig, words: readonly string[] = []): Promise<LabProcess> {
    const { netnsPath = '', stateDirectory, port: channelPort } = config;
    const where = ['--netns', netnsPath, '--state', stateDirectory, '-b', '127.0.0.1', '-p', String(channelPort)];
    const what = ['--target', `${ECHO_PORT},${CLOSED_PORT}`, '--udp-clients', `${RANGES[4]},${RANGES[6]}`];
    const all = ['intercept', '--insecure', ...where, ...what, ...words];
    const program = await LabProcess.start('intercept', TRAFFIC_COPY, all);
    started.push(program);
    return program;
  }

  function query(family: 4 | 6, changes: Partial<DatagramTemplate> = {}): DatagramTemplate {
    const destination = lab.target.address(family);
    const ports = { sourcePort: 40_000, destinationPort: ECHO_PORT };
    return { source: CLIENTS[family], destination, ...ports, payload: 'query', ...changes };
  }

  function send(copy: TestCopy, template: DatagramTemplate): void {
    copy.send(FRAME.PACKETS, 0, RECORD_DATAGRAM, craftDatagram(template));
  }

  /** As a stranger on the network would: through a raw socket of another host. */
  function spoof(...templates: readonly DatagramTemplate[]): void {
    const sender = new RawPacketSender({ mark: 0, hasIpv6: true, netnsPath: lab.online.netnsPath });
    try {
      for (const template of templates) {
        const bytes = craftDatagram(template);
        const batch = new InjectionBatch(1);
        batch.reset(bytes);
        batch.add(0, bytes.length);
        assert.equal(sender.send(batch), 1);
      }
    } finally {
      sender.close();
    }
  }

  /** Echoes of so many octets until now. */
  function echoes(octets: number): number {
    return echo.lines.filter((line) => line.endsWith(`echoed ${octets}`)).length;
  }

  async function echoed(octets: number, count = 1): Promise<void> {
    await eventually(`${count} echoes of ${octets} octets`, DEADLINE_MS, () => echoes(octets) >= count);
  }

  /** All that the target sends to clients of datagrams, and its ICMP errors to anybody. */
  const leaks = () => {
    const from = `(src host ${lab.target.ipv4} or src host ${lab.target.ipv6})`;
    const what = `(dst net ${RANGES[4]} or dst net ${RANGES[6]} or icmp or (icmp6 and ip6[40] < 128))`;
    return lab.target.sniff(`${from} and ${what}`);
  };

  for (const family of [4, 6] as const) {
    it(`IPv${family}: a socket of the target gets them, its answers from any port are taken, and nothing leaves`, async () => {
      const sniffer = await leaks();
      await withIntercept({}, async (intercept, copy) => {
        assert.deepEqual(datagramRanges(copy.capabilities), [range(RANGES[4]), range(RANGES[6])]);
        const lengths = [0, 1, 301, 1473, 9000, 60_000].map((length) => length + family);
        for (const length of lengths) send(copy, query(family, { payload: 'q'.repeat(length) }));
        for (const length of lengths) await echoed(length);
        const answers = lengths.length * 2;
        const { counters } = await eventually('all answers are taken', DEADLINE_MS, () => {
          const figures = intercept.figures();
          return figures.counters.datagramAnswers === answers ? figures : undefined;
        });
        const headerBytes = (family === 4 ? 20 : 40) + 8;
        assert.equal(
          counters.datagramAnswerBytes,
          lengths.reduce((sum, length) => sum + 2 * (length + headerBytes), 0),
        );
        assert.deepEqual(copy.datagrams, { injected: lengths.length, refused: 0, failed: 0 });
        assert.deepEqual([counters.responses, counters.responsesMalformed, counters.datagramsFailed], [0, 0, 0]);
      });
      assert.equal(await sniffer.stop(), 0, await sniffer.packets());
    });

    it(`IPv${family}: a target that does not listen is counted and named, and its ICMP stays`, async () => {
      const sniffer = await leaks();
      const config = configOf();
      const program = await startProgram(config);
      const copy = await new TestCopy(config.port).start();
      send(copy, query(family, { destinationPort: CLOSED_PORT }));
      const host = family === 4 ? lab.target.ipv4 : `[${lab.target.ipv6}]`;
      const [line] = await program.waitForLine(/.* does not listen: ICMP port unreachable/);
      assert.ok(line.includes(`${host}:${CLOSED_PORT} does not listen`), line);
      copy.close();
      await program.stop('SIGTERM');
      assert.ok(
        program.lines.some((text) => /to datagrams: port unreachable\s+│\s+1 /.test(text)),
        program.lines.join('\n'),
      );
      assert.equal(await sniffer.stop(), 0, await sniffer.packets());
    });

    it(`IPv${family}: kill -9 lets nothing out; the next end restores, and then answers do leave`, async () => {
      const found = await dumpNamespace(lab.target);
      const sniffer = await leaks();
      const config = configOf();
      const killed = await startProgram(config);
      const copy = await new TestCopy(config.port).start();
      const before = echoes(700 + family);
      send(copy, query(family, { payload: 'q'.repeat(700 + family) }));
      await echoed(700 + family, before + 1);
      await killed.stop('SIGKILL');
      copy.close();
      // The last one is answered when ICMP about the first would have left.
      spoof(query(family, { destinationPort: CLOSED_PORT }), query(family, { payload: 'q'.repeat(700 + family) }));
      await echoed(700 + family, before + 2);
      assert.match(await dumpNamespace(lab.target), /trafficcopy:/);
      const restarted = await startProgram(config);
      await restarted.waitForLine(/intercept serves/);
      await restarted.stop('SIGTERM');
      assert.equal(restarted.end?.status, 0, restarted.lines.join('\n'));
      assert.equal(await sniffer.stop(), 0, await sniffer.packets());
      assert.equal(await dumpNamespace(lab.target), found);

      const outside = await leaks();
      spoof(query(family, { payload: 'q'.repeat(700 + family) }));
      await echoed(700 + family, before + 3);
      assert.equal(await outside.stop(), 2, 'the sniffer sees what leaves');
    });
  }

  it('at an orderly end the rules outlast the last datagram: what is answered meanwhile stays', async () => {
    const found = await dumpNamespace(lab.target);
    const sniffer = await leaks();
    const config = configOf();
    const intercept = await Intercept.open({ config, logger, recorder: undefined });
    const copy = await new TestCopy(config.port).start();
    send(copy, query(4, { payload: 'q'.repeat(444) }));
    await echoed(444);
    copy.close();
    const closed = intercept.close();
    spoof(query(4, { payload: 'q'.repeat(444) }));
    await echoed(444, 2);
    await closed;
    assert.equal(await sniffer.stop(), 0, await sniffer.packets());
    assert.equal(await dumpNamespace(lab.target), found);
  });

  it('address translation in the namespace, as service meshes have it for DNS, does not lead them astray', async () => {
    const redirect = async (what: '-A' | '-D'): Promise<void> => {
      for (const chain of ['PREROUTING', 'OUTPUT']) {
        const rule = ['-t', 'nat', what, chain, '-p', 'udp', '--dport', String(ECHO_PORT), '-j', 'REDIRECT'];
        await lab.target.expect('iptables', [...rule, '--to-ports', '15053']);
      }
    };
    await redirect('-A');
    try {
      const found = await dumpNamespace(lab.target);
      const sniffer = await leaks();
      await withIntercept({}, async (intercept, copy) => {
        send(copy, query(4, { payload: 'q'.repeat(333) }));
        await echoed(333);
        await eventually(
          'the answers are taken',
          DEADLINE_MS,
          () => intercept.figures().counters.datagramAnswers === 2,
        );
      });
      assert.equal(await sniffer.stop(), 0, await sniffer.packets());
      assert.equal(await dumpNamespace(lab.target), found);
    } finally {
      await redirect('-D');
    }
  });

  it('with --threads any worker injects them, and one takes the answers', async () => {
    const found = await dumpNamespace(lab.target);
    const sniffer = await leaks();
    const config = configOf();
    const metricsPort = config.port + 1000;
    const program = await startProgram(config, ['--threads', '2', '--metrics', String(metricsPort)]);
    await program.waitForLine(/intercept serves/);
    const copies = await Promise.all(['a', 'b'].map((name) => new TestCopy(config.port, name).start()));
    for (const copy of copies) {
      send(copy, query(4, { payload: 'q'.repeat(444) }));
      send(copy, query(6, { payload: 'q'.repeat(444) }));
    }
    await echoed(444, 4);
    const metrics = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    await eventually('the answers are counted', DEADLINE_MS, async () =>
      /^trafficcopy_intercept_datagram_answers_total 8$/m.test(await metrics()),
    );
    assert.match(await metrics(), /^trafficcopy_intercept_datagrams_injected_total 4$/m);
    for (const copy of copies) {
      assert.deepEqual(copy.datagrams, { injected: 2, refused: 0, failed: 0 });
      copy.close();
    }
    await program.stop('SIGTERM');
    assert.equal(program.end?.status, 0, program.lines.join('\n'));
    assert.equal(await sniffer.stop(), 0, await sniffer.packets());
    assert.equal(await dumpNamespace(lab.target), found);
  });

  it('a route by lo is enough for the target to answer', async () => {
    const byClient = { 4: ['via', lab.client.ipv4], 6: ['via', lab.client.ipv6] } as const;
    for (const family of [4, 6] as const) {
      const route = (...words: readonly string[]) =>
        lab.target.expect('ip', [`-${family}`, 'route', 'replace', RANGES[family], ...words]);
      await lab.target.expect('ip', [`-${family}`, 'route', 'del', RANGES[family]]);
      await route('dev', 'lo');
      try {
        await withIntercept({}, async (intercept, copy) => {
          send(copy, query(family, { payload: 'q'.repeat(820 + family) }));
          await echoed(820 + family);
          await eventually(
            'the answers are taken',
            DEADLINE_MS,
            () => intercept.figures().counters.datagramAnswers === 2,
          );
        });
      } finally {
        await lab.target.expect('ip', [`-${family}`, 'route', 'del', RANGES[family]]);
        await route(...byClient[family]);
      }
    }
    assert.deepEqual(
      echo.lines.filter((line) => line.startsWith('failed')),
      [],
    );
  });

  it('an address of a range that the host gets meanwhile is an error in the log, and is never played', async () => {
    const config = configOf();
    const program = await startProgram(config);
    const copy = await new TestCopy(config.port).start();
    await lab.target.expect('ip', ['address', 'add', '10.250.3.4/32', 'dev', 'lo']);
    try {
      await program.waitForLine(
        /--udp-clients 10\.250\.0\.0\/16: 10\.250\.3\.4 in it is an address of the target's host/,
      );
      send(copy, query(4));
      await eventually('the copy is told', DEADLINE_MS, () => copy.datagrams.refused === 1);
    } finally {
      await lab.target.expect('ip', ['address', 'del', '10.250.3.4/32', 'dev', 'lo']);
    }
    copy.close();
    await program.stop('SIGTERM');
  });

  it('a socket of the target without room: the log says how many no program saw', async () => {
    const config = configOf();
    const program = await startProgram(config);
    const copy = await new TestCopy(config.port).start();
    process.kill(echo.pid, 'SIGSTOP');
    try {
      for (let sent = 0; sent < 40; sent += 1) send(copy, query(4, { payload: 'q'.repeat(60_000) }));
      await eventually('all are injected', DEADLINE_MS, () => copy.datagrams.injected === 40);
    } finally {
      process.kill(echo.pid, 'SIGCONT');
    }
    copy.close();
    await program.stop('SIGTERM');
    assert.match(program.lines.join('\n'), /had no room for \d+ UDP datagrams \(RcvbufErrors\)/);
  });

  it('the same with --threads 2: it is said once, whoever has the copies', async () => {
    const config = configOf();
    const program = await startProgram(config, ['--threads', '2']);
    const copies = [await new TestCopy(config.port).start(), await new TestCopy(config.port, 'other').start()];
    process.kill(echo.pid, 'SIGSTOP');
    try {
      for (const copy of copies)
        for (let sent = 0; sent < 20; sent += 1) send(copy, query(4, { payload: 'q'.repeat(60_000) }));
      const hasAll = (): boolean => copies.every(({ datagrams }) => datagrams.injected === 20);
      await eventually('all are injected', DEADLINE_MS, hasAll);
    } finally {
      process.kill(echo.pid, 'SIGCONT');
    }
    for (const copy of copies) copy.close();
    await program.stop('SIGTERM');
    assert.equal(program.lines.filter((line) => line.includes('RcvbufErrors')).length, 1, program.lines.join('\n'));
  });

  it('are refused without --udp-clients, and nothing is about UDP then', async () => {
    await withIntercept({ udpClients: [] }, async (intercept, copy) => {
      assert.deepEqual(datagramRanges(copy.capabilities), []);
      assert.doesNotMatch(await lab.target.expect('iptables-save'), /trafficcopy:.*udp|udp.*trafficcopy:/);
      send(copy, query(4));
      await eventually('the copy is told', DEADLINE_MS, () => copy.datagrams.refused === 1);
      assert.equal(intercept.figures().counters.recordsRefused.datagramsOff, 1);
    });
  });

  it('a range with an address of the host is refused, and nothing is changed', async () => {
    const found = await dumpNamespace(lab.target);
    const config = configOf({ udpClients: [range('10.77.0.0/16')] });
    await assert.rejects(Intercept.open({ config, logger, recorder: undefined }), {
      code: 'ERR_START_UDP_CLIENTS',
      message: new RegExp(`${lab.target.ipv4.replaceAll('.', '\\.')} in it is an address of the target's host`),
    });
    const program = await LabProcess.start('intercept', TRAFFIC_COPY, [
      ...['intercept', '--insecure', '--netns', lab.target.netnsPath, '--state', state, '-b', '127.0.0.1'],
      ...['-p', String(config.port + 1), '--threads', '2', '--udp-clients', '10.77.0.0/16'],
    ]);
    started.push(program);
    await program.expectEnd(DEADLINE_MS, [1]);
    assert.match(program.tail(), /in it is an address of the target's host/);
    assert.doesNotMatch(program.lines.join('\n'), /leaves this host while intercept runs/);
    port += 1;
    assert.equal(await dumpNamespace(lab.target), found);
  });

  it('--record has both directions', async () => {
    const path = join(state, 'datagrams.pcapng');
    const recorder = new PcapngRecorder({ path, onStop: (message) => assert.fail(message) });
    recorder.start();
    await withIntercept(
      {},
      async (intercept, copy) => {
        send(copy, query(4, { payload: 'q'.repeat(55) }));
        await echoed(55);
        await eventually(
          'the answers are taken',
          DEADLINE_MS,
          () => intercept.figures().counters.datagramAnswers === 2,
        );
      },
      recorder,
    );
    await recorder.close();
    const { stdout } = await lab.online.run('tcpdump', ['-n', '-r', path]);
    const [sent, ...answers] = stdout.trim().split('\n');
    assert.match(sent!, /10\.250\.3\.4\.40000 > 10\.77\.0\.3\.5300: UDP, length 55/);
    assert.equal(answers.length, 2);
    for (const answer of answers) assert.match(answer, /10\.77\.0\.3\.\d+ > 10\.250\.3\.4\.40000: UDP, length 55/);
  });
});
