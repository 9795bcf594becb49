import { FRAME_COUNT_BYTES, type WireFormat, writeHeaderRecord, writeU16 } from '@trafficcopy/core';
import { RECORD_BUFFER_BYTES, type RecordFormat } from './record-format.js';

/** Frames for a C tcpcopy, one behind the other: each a count and so many records, as full as its version takes them. */
export function wireRecords({ recordBytes, countMax }: WireFormat): RecordFormat {
  const frameBytes = FRAME_COUNT_BYTES + countMax * recordBytes;
  const recordsMax = Math.floor(RECORD_BUFFER_BYTES / frameBytes) * countMax;
  const offsetOf = (index: number): number =>
    Math.floor(index / countMax) * frameBytes + FRAME_COUNT_BYTES + (index % countMax) * recordBytes;
  return {
    bufferBytes: RECORD_BUFFER_BYTES,
    keptBytesMax: 0,
    hasEvents: false,
    isFull: (count) => count === recordsMax,
    offsetOf,
    writeSegment: (out, offset, _sessionId, bytes, packetAt, header) => {
      writeHeaderRecord(out, offset, recordBytes, bytes, packetAt, header);
      return offset + recordBytes;
    },
    writeEvent: (_out, offset) => offset,
    writeTally: (_out, offset) => offset,
    finish: (out, count, end) => {
      for (let first = 0; first < count; first += countMax) {
        writeU16(out, offsetOf(first) - FRAME_COUNT_BYTES, Math.min(countMax, count - first));
      }
      return end;
    },
  };
}
