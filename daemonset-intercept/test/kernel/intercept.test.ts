import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  ACK,
  encodeFrame,
  encodeHello,
  FRAME,
  type Hello,
  parseIpAddress,
  RECORD_OPEN,
  RECORD_PACKET,
  RESPONSE_EVENT_FLOW_TAKEN,
  RESPONSE_EVENT_TARGET_UNKNOWN,
  RST,
  SYN,
} from '@trafficcopy/core';
import { eventually, Lab, LabProcess, TRAFFIC_COPY } from '@trafficcopy/lab';
import { ProgramLog, StatusLine } from '@trafficcopy/runtime';
import type { InterceptConfig } from '../../src/config.js';
import { Intercept } from '../../src/intercept.js';
import { INTERCEPT_LIMITS_DEFAULT } from '../../src/limits.js';
import { craftPacket, type PacketTemplate } from '../kit/crafted-packet.js';
import { kernelConfig } from '../kit/kernel-config.js';
import { dumpNamespace } from '../kit/namespace-dump.js';
import { TestCopy } from '../kit/test-copy.js';

const ONLINE_PORT = 8080;
const DEADLINE_MS = 10_000;
const ECHO_SERVER = `
  const server = require('node:net').createServer((socket) => {
    socket.on('data', (data) => socket.write('resp:' + data));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
  });
  server.listen(${ONLINE_PORT}, '::');
`;

describe('intercept on a real kernel', { skip: process.geteuid?.() === 0 ? false : 'needs root' }, () => {
  const config = { logFile: undefined, logLevel: 'silent' } as const;
  const { logger } = new ProgramLog({ program: 'intercept', config, statusLine: new StatusLine() });
  let lab: Lab;
  let state: string;
  const started: LabProcess[] = [];
  // Below those that the kernel gives to outgoing connections.
  let port = 28_600 + (process.pid % 500) * 2;

  before(async () => {
    lab = await Lab.create();
    state = mkdtempSync(join(tmpdir(), 'tcI-state-'));
    await lab.target.start('server', process.execPath, ['-e', ECHO_SERVER]);
    await lab.target.listening(ONLINE_PORT);
  });

  after(async () => {
    await Promise.all(started.map((one) => (one.isRunning ? one.stop('SIGKILL') : undefined)));
    await lab?.close();
    rmSync(state, { recursive: true, force: true });
  });

  function configOf(changes: Partial<InterceptConfig> = {}): InterceptConfig {
    port += 1;
    return kernelConfig({
      targets: [{ address: undefined, port: ONLINE_PORT }],
      netnsPath: lab.target.netnsPath,
      port,
      stateDirectory: state,
      ...changes,
    });
  }

  async function withIntercept(
    changes: Partial<InterceptConfig>,
    work: (intercept: Intercept, copy: TestCopy, config: InterceptConfig) => Promise<void>,
    limits = INTERCEPT_LIMITS_DEFAULT,
  ): Promise<void> {
    const config = configOf(changes);
    const intercept = await Intercept.open({ config, logger, recorder: undefined, limits });
    try {
      const copy = await new TestCopy(config.port).start();
      try {
        await work(intercept, copy, config);
      } finally {
        copy.close();
      }
    } finally {
      await intercept.close();
    }
  }

  function toTarget(
    family: 4 | 6,
    sourcePort: number,
  ): Pick<PacketTemplate, 'source' | 'destination' | 'sourcePort' | 'destinationPort'> {
    const source = family === 4 ? '198.51.100.7' : '2001:db8::7';
    return { source, destination: lab.target.address(family), sourcePort, destinationPort: ONLINE_PORT };
  }

  for (const family of [4, 6] as const) {
    it(`an injected IPv${family} connection is answered, its headers come back, and nothing leaves the target`, async () => {
      const sniffer = await lab.target.sniff(`host ${toTarget(family, 0).source}`);
      await withIntercept({}, async (intercept, copy) => {
        const response = await copy.exchange(7, toTarget(family, 41_000), 'hello');
        assert.equal(response.payloadBytes, 'resp:hello'.length);
        assert.equal(response.ack, 1001 + 'hello'.length);
        assert.equal(intercept.figures().flows, 1);
      });
      assert.equal(await sniffer.stop(), 0, await sniffer.packets());
      assert.equal(await leftSockets(), '');
    });
  }

  for (const kind of ['nft', 'legacy'] as const) {
    it(`address translation in the namespace (${kind}), as service meshes have it, does not lead copied packets astray`, async () => {
      const redirect = async (what: '-A' | '-D'): Promise<void> => {
        for (const chain of ['PREROUTING', 'OUTPUT']) {
          const rule = ['-t', 'nat', what, chain, '-p', 'tcp', '--dport', String(ONLINE_PORT), '-j', 'REDIRECT'];
          await lab.target.expect(`iptables-${kind}`, [...rule, '--to-ports', '15006']);
        }
      };
      await redirect('-A');
      const found = await dumpNamespace(lab.target);
      try {
        await withIntercept({ iptables: 'nft' }, async (_intercept, copy) => {
          const response = await copy.exchange(1, toTarget(4, 42_500), 'past the mesh');
          assert.equal(response.payloadBytes, 'resp:past the mesh'.length);
          await assert.rejects(genuineRequest(), 'genuine clients are redirected as before');
        });
        assert.equal(await dumpNamespace(lab.target), found);
      } finally {
        await redirect('-D');
      }
    });
  }

  it('a client that has the address of the target itself, or 127.0.0.1, is served when it is allowed', async () => {
    const allowedSources = [
      { address: parseIpAddress('127.0.0.0')!, prefixBits: 8 },
      { address: parseIpAddress(lab.target.ipv4)!, prefixBits: 32 },
    ];
    await withIntercept({ allowedSources }, async (_intercept, copy) => {
      const loopback = {
        source: '127.0.0.1',
        destination: '127.0.0.1',
        sourcePort: 43_000,
        destinationPort: ONLINE_PORT,
      };
      assert.equal((await copy.exchange(1, loopback, 'one')).payloadBytes, 8);
      const own = { ...toTarget(4, 43_001), source: lab.target.ipv4 };
      assert.equal((await copy.exchange(2, own, 'two')).payloadBytes, 8);
      // A reset of the host itself would have ended both.
      assert.equal(copy.responses.filter(({ flags }) => flags & RST).length, 0);
    });
  });

  it('a client that has the address of the target itself is refused by default', async () => {
    await withIntercept({}, async (intercept, copy) => {
      const syn = {
        ...toTarget(4, 43_002),
        source: lab.target.ipv4,
        seq: 1,
        ack: 0,
        flags: SYN,
        payload: '',
        isMarked: false,
      };
      copy.send(FRAME.PACKETS, 3, RECORD_OPEN, craftPacket(syn));
      assert.equal((await copy.response(3)).event, RESPONSE_EVENT_TARGET_UNKNOWN);
      assert.equal(intercept.figures().counters.recordsRefused.sourceRefused, 1);
      assert.equal(intercept.figures().counters.packetsInjected, 0);
    });
  });

  it('a port that is not served gets no packet, and the copy hears of it', async () => {
    const sniffer = await lab.target.sniff('tcp port 8081', { device: 'lo' });
    await withIntercept({}, async (intercept, copy) => {
      const syn = {
        ...toTarget(4, 42_000),
        destinationPort: 8081,
        seq: 1,
        ack: 0,
        flags: SYN,
        payload: '',
        isMarked: false,
      };
      copy.send(FRAME.PACKETS, 4, RECORD_OPEN, craftPacket(syn));
      assert.equal((await copy.response(4)).event, RESPONSE_EVENT_TARGET_UNKNOWN);
      assert.equal(intercept.figures().counters.recordsRefused.targetUnknown, 1);
    });
    assert.equal(await sniffer.stop(), 0);
  });

  it("the target's own clients are served while copies work, and while intercept is killed", async () => {
    await withIntercept({}, async (_intercept, copy) => {
      await copy.exchange(8, toTarget(4, 44_000), 'copied');
      assert.equal(await genuineRequest(), 'resp:genuine');
    });
    assert.equal(await genuineRequest(), 'resp:genuine');
  });

  it('Direct: a marked SYN of another host is answered into the queue, before or after its REGISTER', async () => {
    const source = '10.77.0.200';
    const sniffer = await lab.target.sniff(`dst host ${source}`);
    await withIntercept({}, async (intercept, copy) => {
      for (const order of ['register first', 'packet first'] as const) {
        const sourcePort = order === 'register first' ? 45_000 : 45_001;
        const syn = craftPacket({
          ...toTarget(4, sourcePort),
          source,
          seq: 5,
          ack: 0,
          flags: SYN,
          payload: '',
          isMarked: true,
        });
        if (order === 'register first') copy.send(FRAME.REGISTER, sourcePort, RECORD_OPEN, syn);
        const before = intercept.figures().counters.responses;
        await sendFromOnline(syn);
        if (order === 'packet first') {
          await eventually(
            'the response is parked',
            DEADLINE_MS,
            () => intercept.figures().counters.responses > before,
          );
          copy.send(FRAME.REGISTER, sourcePort, RECORD_OPEN, syn);
        }
        const synAck = await copy.response(sourcePort);
        assert.equal(synAck.flags, SYN | ACK, order);
        assert.equal(synAck.ack, 6, order);
      }
      assert.equal(intercept.figures().counters.packetsInjected, 0);
    });
    assert.equal(await sniffer.stop(), 0, await sniffer.packets());
  });

  it('a marked packet of Direct delivery that meets no socket is not answered to the client', async () => {
    const source = '10.77.0.201';
    const sniffer = await lab.target.sniff(`dst host ${source}`);
    await withIntercept({}, async (intercept) => {
      const stray = craftPacket({
        ...toTarget(4, 45_100),
        source,
        seq: 5,
        ack: 9,
        flags: ACK,
        payload: 'stray',
        isMarked: true,
      });
      await sendFromOnline(stray);
      await eventually('the reset is taken', DEADLINE_MS, () => intercept.figures().counters.responses === 1);
    });
    assert.equal(await sniffer.stop(), 0, await sniffer.packets());
  });

  it('the rules outlast a Direct copy that does not notice the end, and half-open connections of it are reset', async () => {
    const source = '10.77.0.203';
    const sniffer = await lab.target.sniff(`dst host ${source}`);
    const config = configOf();
    const limits = { ...INTERCEPT_LIMITS_DEFAULT, unawareMs: 5000 };
    const intercept = await Intercept.open({ config, logger, recorder: undefined, limits });
    const unaware = await cutOffCopy(config.port);
    const closing = intercept.close();
    try {
      await eventually('the connection is over', DEADLINE_MS, () => {
        unaware.write('still here');
        return unaware.destroyed;
      });
      const before = intercept.figures().counters;
      const syns = [45_200, 45_201, 45_202].map((sourcePort) =>
        craftPacket({ ...toTarget(4, sourcePort), source, seq: 5, ack: 0, flags: SYN, payload: '', isMarked: true }),
      );
      await sendFromOnline(...syns);
      await eventually('the answers are taken', DEADLINE_MS, () => {
        const { responses, resetsInjected } = intercept.figures().counters;
        return responses >= before.responses + 3 && resetsInjected >= before.resetsInjected + 3;
      });
    } finally {
      unaware.destroy();
      await closing;
    }
    assert.equal(await sniffer.stop(), 0, await sniffer.packets());
    assert.equal(await leftSockets(), '');
  });

  it('two copies: the second cannot take a flow of the first', async () => {
    await withIntercept({}, async (_intercept, copy, config) => {
      await copy.exchange(1, toTarget(4, 46_000), 'mine');
      const other = await new TestCopy(config.port, 'another').start();
      const syn = { ...toTarget(4, 46_000), seq: 77, ack: 0, flags: SYN, payload: '', isMarked: false };
      other.send(FRAME.PACKETS, 9, RECORD_OPEN, craftPacket(syn));
      assert.equal((await other.response(9)).event, RESPONSE_EVENT_FLOW_TAKEN);
      other.close();
    });
  });

  it('a copy that comes back keeps its flows', async () => {
    await withIntercept({}, async (intercept, copy, config) => {
      const flow = toTarget(4, 47_000);
      const first = await copy.exchange(5, flow, 'before');
      copy.close();
      await eventually('the connection is gone', DEADLINE_MS, () => intercept.figures().copies === 0);
      const again = await new TestCopy(config.port).start();
      const syn = craftPacket({ ...flow, seq: 1000, ack: 0, flags: SYN, payload: '', isMarked: false });
      again.send(FRAME.REGISTER, 6, RECORD_OPEN, syn);
      const data = {
        ...flow,
        seq: first.ack,
        ack: first.seq + first.payloadBytes,
        flags: ACK,
        payload: 'after',
        isMarked: false,
      };
      again.send(FRAME.PACKETS, 6, RECORD_PACKET, craftPacket(data));
      assert.equal((await again.response(6, ({ payloadBytes }) => payloadBytes > 0)).payloadBytes, 'resp:after'.length);
      assert.equal(intercept.figures().counters.flowsResumed, 1);
      again.close();
    });
  });

  it('a copy that does not come back leaves no socket at the target', async () => {
    const limits = { ...INTERCEPT_LIMITS_DEFAULT, graceMs: 100 };
    await withIntercept(
      {},
      async (intercept, copy) => {
        await copy.exchange(5, toTarget(4, 48_000), 'bye');
        assert.notEqual(await leftSockets(), '');
        copy.close();
        await eventually('its flow is reset', DEADLINE_MS, async () => (await leftSockets()) === '');
        assert.equal(intercept.figures().counters.flowsReset, 1);
      },
      limits,
    );
  });

  it('garbage on the port and in frames harms nobody', async () => {
    await withIntercept({}, async (intercept, copy, config) => {
      const stranger = connect(config.port, '127.0.0.1');
      stranger.on('error', () => {});
      stranger.write(Buffer.alloc(2000, 0x47));
      await eventually('the stranger is refused', DEADLINE_MS, () => intercept.figures().peersRefused === 1);
      stranger.destroy();
      copy.sendBytes(FRAME.PACKETS, new Uint8Array(999).fill(0xa5));
      copy.sendBytes(FRAME.PACKETS, new Uint8Array(3));
      copy.sendBytes(FRAME.REGISTER, new Uint8Array([0, 0, 0, 1, 0, 20, 1, 0, ...new Array<number>(20).fill(0x45)]));
      await copy.exchange(1, toTarget(4, 49_000), 'still here');
      const { recordsRefused } = intercept.figures().counters;
      assert.equal(recordsRefused.malformed, 2);
      assert.equal(recordsRefused.badPacket, 1);
    });
  });

  it('a pass list keeps its clients from being played: nothing is injected in their name, nothing leaves', async () => {
    const pass = [{ address: parseIpAddress('198.51.100.7')!, prefixBits: 32 }];
    await lab.target.expect('ip', ['route', 'add', '198.51.100.7/32', 'via', lab.client.ipv4]);
    const sniffer = await lab.target.sniff('dst host 198.51.100.7');
    try {
      await withIntercept({ pass }, async (intercept, copy) => {
        const syn = { ...toTarget(4, 49_500), seq: 1, ack: 0, flags: SYN, payload: '', isMarked: false };
        copy.send(FRAME.PACKETS, 1, RECORD_OPEN, craftPacket(syn));
        await eventually('the copy is told', DEADLINE_MS, async () => copy.responses.length === 1);
        assert.equal(intercept.figures().counters.recordsRefused.sourceRefused, 1);
      });
      assert.equal(await sniffer.stop(), 0);
    } finally {
      await lab.target.expect('ip', ['route', 'del', '198.51.100.7/32']);
    }
  });

  it('rules that somebody flushes or overtakes come back, and settings that somebody resets', async () => {
    await withIntercept({}, async () => {
      const save = () => lab.target.expect('iptables-save', ['-t', 'mangle']);
      const ours = (text: string) => text.split('\n').filter((line) => line.includes('trafficcopy:')).length;
      const before = ours(await save());
      await lab.target.expect('iptables', ['-t', 'mangle', '-F']);
      await lab.target.expect('sysctl', ['-q', '-w', 'net.ipv4.tcp_fwmark_accept=0']);
      await eventually('they are back', DEADLINE_MS, async () => ours(await save()) === before);
      await eventually('the setting is back', DEADLINE_MS, async () =>
        (await lab.target.expect('sysctl', ['-n', 'net.ipv4.tcp_fwmark_accept'])).startsWith('1'),
      );
      const foreign = ['-p', 'tcp', '--sport', '1', '-j', 'ACCEPT'];
      await lab.target.expect('iptables', ['-t', 'mangle', '-I', 'OUTPUT', ...foreign]);
      await eventually('ours are first', DEADLINE_MS, async () => {
        const output = (await save()).split('\n').filter((line) => line.startsWith('-A OUTPUT'));
        return output[0]!.includes('trafficcopy:') && ours(await save()) === before;
      });
      await lab.target.expect('iptables', ['-t', 'mangle', '-D', 'OUTPUT', ...foreign]);
    });
  });

  it('at its end everything in the namespace is as it was found', async () => {
    await lab.target.expect('iptables', ['-t', 'mangle', '-A', 'OUTPUT', '-p', 'tcp', '--dport', '1', '-j', 'ACCEPT']);
    await lab.target.expect('sysctl', ['-q', '-w', 'net.ipv4.fwmark_reflect=1']);
    const found = await dumpNamespace(lab.target);
    await withIntercept({}, async (_intercept, copy) => {
      await copy.exchange(1, toTarget(4, 50_000), 'x');
      assert.notEqual(await dumpNamespace(lab.target), found);
    });
    assert.equal(await dumpNamespace(lab.target), found);
    await lab.target.expect('iptables', ['-t', 'mangle', '-D', 'OUTPUT', '-p', 'tcp', '--dport', '1', '-j', 'ACCEPT']);
    await lab.target.expect('sysctl', ['-q', '-w', 'net.ipv4.fwmark_reflect=0']);
  });

  it('two intercepts in one namespace have queues of their own, and the last to leave restores', async () => {
    const found = await dumpNamespace(lab.target);
    await withIntercept({}, async (first) => {
      await withIntercept({}, async (second, copy) => {
        assert.notEqual(second.slot.queueNumber, first.slot.queueNumber);
        assert.equal((await copy.exchange(1, toTarget(4, 51_000), 'x')).payloadBytes, 6);
      });
      assert.notEqual(await dumpNamespace(lab.target), found);
    });
    assert.equal(await dumpNamespace(lab.target), found);
  });

  it('a second intercept of the same name, or with its journal elsewhere, is refused and changes nothing', async () => {
    await withIntercept({}, async (_intercept, _copy, config) => {
      const during = await dumpNamespace(lab.target);
      const elsewhere = mkdtempSync(join(tmpdir(), 'tcI-other-'));
      const sameName = configOf({ instance: config.instance });
      await assert.rejects(Intercept.open({ config: sameName, logger, recorder: undefined }), {
        code: 'ERR_RULES_CONFLICT',
      });
      const otherState = configOf({ stateDirectory: elsewhere });
      await assert.rejects(Intercept.open({ config: otherState, logger, recorder: undefined }), {
        code: 'ERR_RULES_CONFLICT',
      });
      const samePort = configOf({ port: config.port });
      await assert.rejects(Intercept.open({ config: samePort, logger, recorder: undefined }), {
        code: 'ERR_CHANNEL_LISTEN',
      });
      assert.equal(await dumpNamespace(lab.target), during);
      rmSync(elsewhere, { recursive: true, force: true });
    });
  });

  it('kill -9: responses stay dropped, the next start adopts the rules, and its end restores what was found first', async () => {
    const found = await dumpNamespace(lab.target);
    const client = toTarget(4, 52_000);
    const sniffer = await lab.target.sniff(`dst host ${client.source}`);
    const config = configOf();
    const killed = await startProgram(config);
    const copy = await new TestCopy(config.port).start();
    const first = await copy.exchange(1, client, 'before');
    await killed.stop('SIGKILL');
    await eventually('the copy noticed', DEADLINE_MS, () => !copy.isConnected);
    const during = await dumpNamespace(lab.target);
    assert.match(during, /trafficcopy:/);
    assert.equal(await genuineRequest(), 'resp:genuine');

    const restarted = await startProgram(config);
    await copy.connected().catch((error) => assert.fail(`${error}\n${restarted.lines.join('\n')}`));
    const syn = craftPacket({ ...client, seq: 1000, ack: 0, flags: SYN, payload: '', isMarked: false });
    copy.send(FRAME.REGISTER, 2, RECORD_OPEN, syn);
    const data = {
      ...client,
      seq: first.ack,
      ack: first.seq + first.payloadBytes,
      flags: ACK,
      payload: 'after',
      isMarked: false,
    };
    copy.send(FRAME.PACKETS, 2, RECORD_PACKET, craftPacket(data));
    const response = await copy.response(2, ({ payloadBytes }) => payloadBytes > 0);
    assert.equal(response.ack, first.ack + 'after'.length);
    copy.close();
    await restarted.stop('SIGTERM');
    assert.equal(restarted.end?.status, 0, restarted.lines.join('\n'));
    assert.equal(await dumpNamespace(lab.target), found);
    assert.equal(await sniffer.stop(), 0, await sniffer.packets());
    assert.equal(await leftSockets(), '');
  });

  it('sockets that a killed intercept left are gone when its successor ends', async () => {
    const config = configOf();
    const killed = await startProgram(config);
    const copy = await new TestCopy(config.port).start();
    await copy.exchange(1, toTarget(4, 53_000), 'left behind');
    await killed.stop('SIGKILL');
    copy.close();
    assert.notEqual(await leftSockets(), '');
    await withIntercept({ port: config.port, instance: config.instance }, async () => {});
    assert.equal(await leftSockets(), '');
  });

  it('responses that the full queue dropped are read from the kernel, and told with the setting that helps', async () => {
    const config = configOf();
    const metricsPort = config.port + 1000;
    const program = await startProgram(config, ['-q', '64', '--metrics', String(metricsPort)]);
    const metrics = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    await eventually(
      'it serves',
      DEADLINE_MS,
      async () => (await metrics()) !== '' && program.lines.some((line) => line.includes('serves')),
    );
    process.kill(program.pid, 'SIGSTOP');
    const source = '10.77.0.202';
    const syns = Array.from({ length: 200 }, (_, index) =>
      craftPacket({ ...toTarget(4, 10_000 + index), source, seq: 5, ack: 0, flags: SYN, payload: '', isMarked: true }),
    );
    await sendFromOnline(...syns);
    process.kill(program.pid, 'SIGCONT');
    await eventually('the drops are counted', DEADLINE_MS, async () =>
      /^trafficcopy_intercept_queue_dropped_total [1-9]/m.test(await metrics()),
    );
    await program.waitForLine(/responses were lost: the NFQUEUE was full; a larger -q/);
    await program.stop('SIGTERM');
    assert.equal(program.end?.status, 0);
    assert.equal(await leftSockets(), '');
  });

  /** A Direct copy that has said HELLO and reads nothing more, as one that is stopped. */
  async function cutOffCopy(channelPort: number): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: channelPort, allowHalfOpen: true });
    const version = { major: 1, minor: 0 };
    const hello: Hello = { version, role: 'copy', name: 'cut off', delivery: 'direct', capabilities: [], targets: [] };
    socket.on('error', () => {});
    socket.write(encodeFrame(FRAME.HELLO, encodeHello(hello)));
    await once(socket, 'readable');
    return socket;
  }

  /** The program itself, in a process of its own. */
  async function startProgram(config: InterceptConfig, words: readonly string[] = []): Promise<LabProcess> {
    const { netnsPath = '', stateDirectory, port: channelPort } = config;
    const where = ['--netns', netnsPath, '--state', stateDirectory, '-b', '127.0.0.1', '-p', String(channelPort)];
    const program = await LabProcess.start('intercept', TRAFFIC_COPY, ['intercept', '--insecure', ...where, ...words]);
    started.push(program);
    return program;
  }

  /** Sockets at the served port that are not listening and not in TIME-WAIT. */
  async function leftSockets(): Promise<string> {
    return (
      await lab.target.expect('ss', ['-Htan', 'state', 'connected', 'exclude', 'time-wait', `sport = :${ONLINE_PORT}`])
    ).trim();
  }

  async function genuineRequest(): Promise<string> {
    const script = `
      const socket = require('node:net').connect(${ONLINE_PORT}, '${lab.target.ipv4}', () => socket.write('genuine'));
      socket.on('data', (data) => { process.stdout.write(data); socket.end(); });
    `;
    return await lab.client.expect(process.execPath, ['-e', script]);
  }

  /** Sends crafted packets as the online host does in Direct delivery: through a raw socket of its own. */
  async function sendFromOnline(...packets: Uint8Array[]): Promise<void> {
    const script = `import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for line in sys.stdin: s.sendto(bytes.fromhex(line), ('${lab.target.ipv4}', 0))`;
    const input = packets.map((packet) => `${Buffer.from(packet).toString('hex')}\n`).join('');
    await lab.online.expect('python3', ['-c', script], { input });
  }
});
