import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ACK,
  PACKET_ENTRY_FIELDS,
  PSH,
  parseIpAddress,
  RECORD_OPEN,
  RECORD_PACKET,
  RECORD_RELEASE,
  RESPONSE_ACK,
  RESPONSE_EVENT,
  RESPONSE_EVENT_FLOW_TAKEN,
  RESPONSE_FLAGS,
  RESPONSE_HAS_SACK_PERMITTED,
  RESPONSE_HAS_TIMESTAMPS,
  RESPONSE_HAS_WINDOW_SCALE,
  RESPONSE_MSS,
  RESPONSE_OPTIONS,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_RECORD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_SESSION_ID,
  RESPONSE_TS_VAL,
  RESPONSE_WINDOW,
  RESPONSE_WINDOW_SCALE,
  ReplayBatch,
  type ResponseBatch,
  SYN,
  writeU16,
  writeU32,
} from '@trafficcopy/core';
import { plainPacket } from '@trafficcopy/core/kit/plain-packet.js';
import { PcapngRecorder, StartError } from '../../src/index.js';

const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-record-'));
after(() => rmSync(directory, { recursive: true, force: true }));

interface Segment {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly payload: string;
}
const SYN_SEGMENT: Segment = {
  source: '10.9.0.1',
  destination: '10.9.0.2',
  sourcePort: 40000,
  destinationPort: 8080,
  seq: 999,
  ack: 0,
  flags: SYN,
  payload: '',
};
const REQUEST: Segment = { ...SYN_SEGMENT, seq: 1000, ack: 5001, flags: ACK | PSH, payload: 'GET / HTTP/1.1\r\n\r\n' };

/** A packet as the engine makes it: checksums are 0. */
function packet(segment: Segment): Uint8Array {
  return plainPacket({
    ...segment,
    source: parseIpAddress(segment.source)!,
    destination: parseIpAddress(segment.destination)!,
    window: 65_000,
    payload: new TextEncoder().encode(segment.payload),
  });
}

function replay(...records: readonly (readonly [sessionId: number, kind: number, segment?: Segment])[]): ReplayBatch {
  const batch = new ReplayBatch(1024 * 1024, 1024);
  for (const [sessionId, kind, segment] of records) {
    const bytes = segment === undefined ? new Uint8Array(0) : packet(segment);
    batch.bytes.set(bytes, batch.append(sessionId, kind, bytes.length));
  }
  return batch;
}

/** Response records, from the fields that differ from 0. */
function responses(...records: readonly ((bytes: Uint8Array, at: number) => void)[]): ResponseBatch {
  const bytes = new Uint8Array(8 + records.length * RESPONSE_RECORD_BYTES);
  for (const [index, fill] of records.entries()) fill(bytes, 8 + index * RESPONSE_RECORD_BYTES);
  return { bytes, offset: 8, strideBytes: RESPONSE_RECORD_BYTES, count: records.length };
}

function synAck(sessionId: number): (bytes: Uint8Array, at: number) => void {
  return (bytes, at) => {
    writeU32(bytes, at + RESPONSE_SESSION_ID, sessionId);
    writeU32(bytes, at + RESPONSE_SEQ, 5000);
    writeU32(bytes, at + RESPONSE_ACK, 1000);
    bytes[at + RESPONSE_FLAGS] = SYN | ACK;
    bytes[at + RESPONSE_OPTIONS] = RESPONSE_HAS_TIMESTAMPS | RESPONSE_HAS_WINDOW_SCALE | RESPONSE_HAS_SACK_PERMITTED;
    writeU16(bytes, at + RESPONSE_WINDOW, 64_240);
    writeU16(bytes, at + RESPONSE_MSS, 1460);
    writeU32(bytes, at + RESPONSE_TS_VAL, 77);
    bytes[at + RESPONSE_WINDOW_SCALE] = 7;
  };
}

function data(sessionId: number, payloadBytes: number): (bytes: Uint8Array, at: number) => void {
  return (bytes, at) => {
    writeU32(bytes, at + RESPONSE_SESSION_ID, sessionId);
    writeU32(bytes, at + RESPONSE_SEQ, 5001);
    writeU32(bytes, at + RESPONSE_ACK, 1018);
    bytes[at + RESPONSE_FLAGS] = ACK | PSH;
    writeU32(bytes, at + RESPONSE_PAYLOAD_BYTES, payloadBytes);
  };
}

function tshark(path: string, ...fields: readonly string[]): string[] {
  const words = ['-n', '-r', path, '-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE', '-T', 'fields'];
  for (const field of fields) words.push('-e', field);
  const out = execFileSync('tshark', [...words, '-E', 'separator=,'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return out.trimEnd().split('\n');
}

describe('a recording', () => {
  it('of a copy holds what was sent with right checksums, and headers for what was answered', async () => {
    const path = join(directory, 'copy.pcapng');
    const recorder = new PcapngRecorder({ path, onStop: assert.fail });
    recorder.start();
    recorder.recordReplay(0, replay([7, RECORD_OPEN, SYN_SEGMENT], [7, RECORD_PACKET, REQUEST]));
    recorder.recordResponses(0, responses(synAck(7), data(7, 4321)));
    await recorder.close();
    assert.equal(recorder.packetsRecorded, 4);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const rows = tshark(
      path,
      ...[
        'frame.packet_flags_direction',
        'ip.src',
        'ip.dst',
        'tcp.srcport',
        'tcp.dstport',
        'tcp.seq_raw',
        'tcp.ack_raw',
      ],
      ...['tcp.flags', 'tcp.len', 'frame.len', 'frame.cap_len'],
    );
    assert.deepEqual(rows, [
      '0x00000002,10.9.0.1,10.9.0.2,40000,8080,999,0,0x0002,0,40,40',
      '0x00000002,10.9.0.1,10.9.0.2,40000,8080,1000,5001,0x0018,18,58,58',
      '0x00000001,10.9.0.2,10.9.0.1,8080,40000,5000,1000,0x0012,0,64,64',
      '0x00000001,10.9.0.2,10.9.0.1,8080,40000,5001,1018,0x0018,4321,4361,40',
    ]);
    // 1: good. The answers' TCP checksum is not known.
    assert.deepEqual(tshark(path, 'ip.checksum.status', 'tcp.checksum.status').slice(0, 2), ['1,1', '1,1']);
    assert.deepEqual(
      tshark(
        path,
        'tcp.options.mss_val',
        'tcp.options.wscale.shift',
        'tcp.options.timestamp.tsval',
        'ip.checksum.status',
      )[2],
      '1460,7,77,1',
    );
    assert.equal(tshark(path, 'tcp.options.sack_perm')[2]?.length !== 0, true);
    const now = Date.now() / 1000;
    const time = Number(tshark(path, 'frame.time_epoch')[0]);
    assert.ok(Math.abs(now - time) < 600, `recorded at ${time}, now is ${now}`);
  });

  it('is readable by tcpdump, whose libpcap refuses a second interface of raw IP packets', async () => {
    const path = join(directory, 'tcpdump.pcapng');
    const recorder = new PcapngRecorder({ path, onStop: assert.fail });
    recorder.start();
    recorder.recordReplay(0, replay([7, RECORD_OPEN, SYN_SEGMENT]));
    recorder.recordReplay(0, replay([8, RECORD_OPEN, { ...SYN_SEGMENT, source: 'fd00::1', destination: 'fd00::2' }]));
    recorder.recordResponses(0, responses(synAck(7), data(7, 4321)));
    await recorder.close();
    const lines = execFileSync('tcpdump', ['-nr', path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    assert.equal(lines.trimEnd().split('\n').length, 4);
  });

  it('of IPv6 has the same', async () => {
    const path = join(directory, 'ipv6.pcapng');
    const recorder = new PcapngRecorder({ path, onStop: assert.fail });
    recorder.start();
    const syn = { ...SYN_SEGMENT, source: 'fd00::1', destination: 'fd00::2' };
    recorder.recordReplay(0, replay([7, RECORD_OPEN, syn]));
    recorder.recordResponses(0, responses(synAck(7)));
    await recorder.close();
    assert.deepEqual(tshark(path, 'ipv6.src', 'ipv6.dst', 'tcp.dstport', 'tcp.flags'), [
      'fd00::1,fd00::2,8080,0x0002',
      'fd00::2,fd00::1,40000,0x0012',
    ]);
    assert.equal(tshark(path, 'tcp.checksum.status')[0], '1');
  });

  it('tells sessions of different lanes apart, and leaves out and counts answers of flows that it does not know', async () => {
    const path = join(directory, 'lanes.pcapng');
    const recorder = new PcapngRecorder({ path, onStop: assert.fail });
    recorder.start();
    recorder.recordReplay(0, replay([1, RECORD_OPEN, SYN_SEGMENT]));
    recorder.recordReplay(1, replay([1, RECORD_OPEN, { ...SYN_SEGMENT, destination: '10.9.0.3' }]));
    recorder.recordResponses(1, responses(data(1, 10)));
    recorder.recordResponses(0, responses(data(1, 10), data(2, 10)));
    recorder.recordReplay(0, replay([1, RECORD_RELEASE]));
    recorder.recordResponses(0, responses(data(1, 10)));
    recorder.recordResponses(
      1,
      responses((bytes, at) => {
        data(1, 10)(bytes, at);
        bytes[at + RESPONSE_EVENT] = RESPONSE_EVENT_FLOW_TAKEN;
      }),
    );
    await recorder.close();
    assert.deepEqual(tshark(path, 'ip.src').slice(2), ['10.9.0.3', '10.9.0.2']);
    assert.equal(recorder.packetsDropped, 2);
  });

  it('of intercept holds packets as they stand, cut ones with their true length', async () => {
    const path = join(directory, 'intercept.pcapng');
    const recorder = new PcapngRecorder({ path, onStop: assert.fail });
    recorder.start();
    const bytes = packet(REQUEST);
    const entries = new Uint32Array(2 * PACKET_ENTRY_FIELDS);
    entries.set([0, bytes.length, bytes.length, 0]);
    recorder.recordPackets('sent', { bytes, entries, count: 1 });
    const answer = packet({ ...REQUEST, source: '10.9.0.2', destination: '10.9.0.1', payload: 'x'.repeat(900) });
    entries.set([0, 128, answer.length, 0]);
    recorder.recordPackets('answered', { bytes: answer, entries, count: 1 });
    await recorder.close();
    assert.deepEqual(tshark(path, 'frame.packet_flags_direction', 'frame.len', 'frame.cap_len', 'tcp.len'), [
      '0x00000002,58,58,18',
      '0x00000001,940,128,900',
    ]);
  });

  it('is a whole pcapng file for capinfos, with the direction of each packet', async () => {
    const path = join(directory, 'many.pcapng');
    const recorder = new PcapngRecorder({ path, onStop: assert.fail });
    recorder.start();
    recorder.recordReplay(0, replay([7, RECORD_OPEN, SYN_SEGMENT]));
    for (let count = 0; count < 100; count += 1) {
      recorder.recordReplay(0, replay(...Array.from({ length: 100 }, () => [7, RECORD_PACKET, REQUEST] as const)));
      recorder.recordResponses(0, responses(data(7, 100)));
    }
    await recorder.close();
    const report = execFileSync('capinfos', ['-M', path], { encoding: 'utf8' });
    assert.match(report, /File type: .*pcapng/);
    assert.match(report, /Number of packets: +10101/);
    assert.match(report, /Number of interfaces in file: +1/);
    const directions = tshark(path, 'frame.packet_flags_direction');
    assert.equal(directions.filter((flags) => flags === '0x00000002').length, 10_001, 'sent');
    assert.equal(directions.filter((flags) => flags === '0x00000001').length, 100, 'answered');
    assert.match(report, /Capture application: +trafficcopy/);
  });

  it('can be followed while it runs: what is recorded is in the file soon', async () => {
    const path = join(directory, 'live.pcapng');
    const recorder = new PcapngRecorder({ path, onStop: assert.fail });
    recorder.start();
    const before = statSync(path).size;
    recorder.recordReplay(0, replay([7, RECORD_OPEN, SYN_SEGMENT]));
    for (let tries = 0; statSync(path).size === before; tries += 1) {
      assert.ok(tries < 500, 'nothing is written within 5 s');
      await delay(10);
    }
    assert.equal(tshark(path, 'tcp.dstport').length, 1);
    await recorder.close();
  });

  it('leaves packets out and counts them when the disk does not keep up', async () => {
    const path = join(directory, 'slow.pcapng');
    const recorder = new PcapngRecorder({ path, queueBytesMax: 512 * 1024, onStop: assert.fail });
    recorder.start();
    const big = replay([7, RECORD_PACKET, { ...REQUEST, payload: 'x'.repeat(60_000) }]);
    // All in one turn of the event loop: the disk cannot take anything meanwhile.
    for (let count = 0; count < 100; count += 1) recorder.recordReplay(0, big);
    assert.ok(recorder.packetsDropped > 0 && recorder.packetsRecorded > 0, `${recorder.packetsDropped} dropped`);
    assert.equal(recorder.packetsDropped + recorder.packetsRecorded, 100);
    await recorder.close();
    assert.equal(recorder.stopReason, undefined);
    assert.equal(tshark(path, 'frame.len').length, recorder.packetsRecorded);
  });

  it('on a disk that fills up: the recording ends with a whole block and says so once; the program goes on', async () => {
    const mount = join(directory, 'small-disk');
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'trafficcopy-test', mount]);
    try {
      const path = join(mount, 'full.pcapng');
      const messages: string[] = [];
      const recorder = new PcapngRecorder({ path, onStop: (message) => messages.push(message) });
      recorder.start();
      const big = replay([7, RECORD_PACKET, { ...REQUEST, payload: 'x'.repeat(10_000) }]);
      for (let tries = 0; recorder.stopReason === undefined; tries += 1) {
        assert.ok(tries < 1000, 'the disk is never full');
        for (let count = 0; count < 10; count += 1) recorder.recordReplay(0, big);
        await delay(5);
      }
      assert.equal(recorder.stopReason, 'ENOSPC');
      const dropped = recorder.packetsDropped;
      recorder.recordReplay(0, big);
      assert.equal(recorder.packetsDropped, dropped + 1);
      assert.deepEqual(messages.length, 1);
      assert.match(
        messages[0]!,
        /recording to .*full\.pcapng stopped after \d+ octets \(ENOSPC\): the disk is full: free some space/,
      );
      await recorder.close();
      assert.equal(statSync(path).size, recorder.fileBytes);
      assert.ok(recorder.fileBytes > 256 * 1024);
      assert.equal(
        tshark(path, 'frame.len').every((length) => length === '10040'),
        true,
      );
      assert.match(execFileSync('capinfos', ['-c', path], { encoding: 'utf8' }), /Number of packets/);
    } finally {
      execFileSync('umount', [mount]);
    }
  });

  it('that cannot be started is refused with what to do', () => {
    for (const path of [join(directory, 'missing', 'a.pcapng'), directory, '/dev/full']) {
      assert.throws(
        () => new PcapngRecorder({ path, onStop: assert.fail }).start(),
        (error: unknown) =>
          error instanceof StartError &&
          error.code === 'ERR_START_RECORD_FILE' &&
          /--record: cannot write .*has room/.test(error.message),
      );
    }
  });

  it('replaces an earlier one', async () => {
    const path = join(directory, 'again.pcapng');
    const file = openSync(path, 'w');
    writeSync(file, 'x'.repeat(100_000));
    closeSync(file);
    const recorder = new PcapngRecorder({ path, onStop: assert.fail });
    recorder.start();
    recorder.recordReplay(0, replay([7, RECORD_OPEN, SYN_SEGMENT]));
    await recorder.close();
    assert.equal(tshark(path, 'tcp.dstport').length, 1);
  });

  it('that is not started, because the program could not, leaves an earlier one whole and makes no new one', async () => {
    const earlier = join(directory, 'earlier.pcapng');
    const missing = join(directory, 'never.pcapng');
    writeFileSync(earlier, 'an earlier recording');
    for (const path of [earlier, missing]) {
      const recorder = new PcapngRecorder({ path, onStop: assert.fail });
      recorder.recordReplay(0, replay([7, RECORD_OPEN, SYN_SEGMENT]));
      await recorder.close();
    }
    assert.equal(readFileSync(earlier, 'utf8'), 'an earlier recording');
    assert.equal(existsSync(missing), false);
  });
});
