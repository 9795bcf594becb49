import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  FRAME,
  type FrameType,
  frameName,
  RECORD_OPEN,
  RECORD_PACKET,
  RECORD_RELEASE,
  ReplayBatch,
  readU16,
  readU32,
} from '@trafficcopy/core';
import { type DirectSender, DirectSink } from '../../src/sink/direct-sink.js';
import type { SinkChannel } from '../../src/sink/packet-sink.js';
import { TunnelSink } from '../../src/sink/tunnel-sink.js';

/** Writes down, as text, what goes where: `PACKETS 1:open(40) …`. */
class Journal implements SinkChannel, DirectSender {
  readonly lines: string[] = [];
  isFull = false;
  packetsTakenMax = Number.POSITIVE_INFINITY;
  tooBigPairs = new Float64Array(0);

  sendBatch(type: FrameType, batch: ReplayBatch): boolean {
    if (this.isFull) return false;
    this.lines.push(`${frameName(type)} ${describeRecords(batch)}`);
    return true;
  }

  flush(): void {
    this.lines.push('flush');
  }

  send(batch: ReplayBatch): number {
    this.lines.push(`raw ${batch.count}`);
    return Math.min(batch.count, this.packetsTakenMax);
  }

  tooBig(): Float64Array {
    return this.tooBigPairs;
  }

  readonly noteTooBig = (bytes: Uint8Array, offset: number, end: number, mtuBytes: number): void => {
    this.lines.push(`too big: ${bytes[offset]}(${end - offset}) for ${mtuBytes}`);
  };

  statistics(): { failed: number } {
    return { failed: 0 };
  }

  close(): void {
    this.lines.push('closed');
  }
}

function describeRecords(batch: ReplayBatch): string {
  const words: string[] = [];
  for (let at = batch.headroomBytes; at < batch.length; ) {
    const packetBytes = readU16(batch.bytes, at + 4);
    const kind = ['packet', 'open', 'release'][batch.bytes[at + 6]!]!;
    const filling = packetBytes === 0 ? '' : batch.bytes[at + 8 + packetBytes - 1]!;
    words.push(`${readU32(batch.bytes, at)}:${kind}(${packetBytes})${filling}`);
    at += 8 + ((packetBytes + 3) & ~3);
  }
  return words.join(' ');
}

/** [session, kind, packet octets]; the packets are filled with the session's number. */
function batchOf(...records: [number, number, number][]): ReplayBatch {
  const batch = new ReplayBatch(1 << 20, 4096);
  for (const [session, kind, packetBytes] of records) {
    const at = batch.append(session, kind, packetBytes);
    batch.bytes.fill(session, at, at + packetBytes);
  }
  return batch;
}

describe('tunnel', () => {
  test('a batch goes into the channel as it stands, and leaves at once', () => {
    const journal = new Journal();
    const sink = new TunnelSink();
    sink.useChannel(journal);
    sink.send(batchOf([1, RECORD_OPEN, 41], [1, RECORD_PACKET, 60], [2, RECORD_RELEASE, 0]));
    sink.register(batchOf([3, RECORD_OPEN, 40]));
    assert.deepEqual(journal.lines, [
      'PACKETS 1:open(41)1 1:packet(60)1 2:release(0)',
      'flush',
      'REGISTER 3:open(40)3',
      'flush',
    ]);
    assert.equal(sink.counters.packets, 3);
  });

  test('a full queue and a channel that is down are two counters', () => {
    const journal = new Journal();
    const sink = new TunnelSink();
    sink.send(batchOf([1, RECORD_PACKET, 40], [1, RECORD_PACKET, 40]));
    sink.useChannel(journal);
    journal.isFull = true;
    sink.send(batchOf([1, RECORD_PACKET, 40]));
    assert.equal(sink.counters.packetsWithoutChannel, 2);
    assert.equal(sink.counters.packetsRefused, 1);
    assert.equal(sink.counters.packets, 0);
  });
});

describe('direct', () => {
  test('a flow is registered before its SYN leaves and released in the order of the batch', () => {
    const journal = new Journal();
    const sink = new DirectSink([journal], journal.noteTooBig);
    sink.useChannel(journal);
    sink.send(
      batchOf(
        [1, RECORD_OPEN, 43],
        [9, RECORD_PACKET, 100],
        [2, RECORD_OPEN, 44],
        [9, RECORD_RELEASE, 0],
        [9, RECORD_OPEN, 40],
      ),
    );
    assert.deepEqual(journal.lines, [
      `${frameName(FRAME.REGISTER)} 1:open(43)1 2:open(44)2`,
      `${frameName(FRAME.RELEASE)} 9:release(0)`,
      `${frameName(FRAME.REGISTER)} 9:open(40)9`,
      'flush',
      'raw 4',
    ]);
  });

  test('without a flow that begins or ends nothing goes over the channel', () => {
    const channel = new Journal();
    const sender = new Journal();
    const sink = new DirectSink([sender], sender.noteTooBig);
    sink.useChannel(channel);
    sink.send(batchOf([1, RECORD_PACKET, 40]));
    assert.deepEqual(channel.lines, []);
    assert.deepEqual(sender.lines, ['raw 1']);
  });

  test('without a channel nothing leaves: nobody would catch the answers', () => {
    const sender = new Journal();
    const sink = new DirectSink([sender], sender.noteTooBig);
    sink.send(batchOf([1, RECORD_OPEN, 40]));
    sink.register(batchOf([1, RECORD_OPEN, 40]));
    assert.deepEqual(sender.lines, []);
    assert.equal(sink.counters.packetsWithoutChannel, 1);
  });

  test('more flows than a frame holds go into several frames', () => {
    const journal = new Journal();
    const sink = new DirectSink([journal], journal.noteTooBig);
    sink.useChannel(journal);
    sink.send(
      batchOf(...Array.from({ length: 1000 }, (_, index): [number, number, number] => [index, RECORD_OPEN, 60])),
    );
    assert.equal(journal.lines.filter((line) => line.startsWith('REGISTER')).length, 2);
    assert.equal(journal.lines.at(-1), 'raw 1000');
  });

  test('flows that come back are registered and not sent', () => {
    const journal = new Journal();
    const sink = new DirectSink([journal], journal.noteTooBig);
    sink.useChannel(journal);
    sink.register(batchOf([4, RECORD_OPEN, 40]));
    assert.deepEqual(journal.lines, ['REGISTER 4:open(40)4']);
  });

  test('packets that the kernel refuses are counted', () => {
    const journal = new Journal();
    journal.packetsTakenMax = 1;
    const sink = new DirectSink([journal], journal.noteTooBig);
    sink.useChannel(journal);
    sink.send(batchOf([1, RECORD_PACKET, 40], [1, RECORD_PACKET, 40], [1, RECORD_PACKET, 40]));
    assert.equal(sink.counters.packets, 1);
    assert.equal(sink.counters.packetsFailed, 2);
    sink.close();
    assert.equal(journal.lines.at(-1), 'closed');
  });

  test('packets that the own host finds too big are told to the engine, with what its route carries', () => {
    const journal = new Journal();
    journal.packetsTakenMax = 1;
    journal.tooBigPairs = Float64Array.of(1, 1000);
    const sink = new DirectSink([journal], journal.noteTooBig);
    sink.useChannel(journal);
    sink.send(batchOf([1, RECORD_PACKET, 40], [2, RECORD_PACKET, 1400]));
    assert.deepEqual(journal.lines, ['raw 2', 'too big: 2(1400) for 1000']);
  });
});
