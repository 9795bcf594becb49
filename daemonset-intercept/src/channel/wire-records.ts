import { FRAME_COUNT_BYTES, type WireFormat, writeHeaderRecord, writeU16 } from '@trafficcopy/core';
import { RECORD_BUFFER_BYTES, type RecordFormat } from './record-format.js';

/** Frames for a C tcpcopy, one behind the other: each a count and so many records, as full as its version takes them. */
export function wireRecords({ recordBytes, countMax }: WireFormat): RecordFormat {
  const frameBytes = FRAME_COUNT_BYTES + countMax * recordBytes;
  const framesMax = Math.floor(RECORD_BUFFER_BYTES / frameBytes);
  const offsetOf = (index: number): number =>
    Math.floor(index / countMax) * frameBytes + FRAME_COUNT_BYTES + (index % countMax) * recordBytes;
  return {
    recordsMax: framesMax * countMax,
    hasEvents: false,
    offsetOf,
    writeSegment: (out, offset, _sessionId, bytes, packetAt, header) =>
      writeHeaderRecord(out, offset, recordBytes, bytes, packetAt, header),
    writeEvent: () => {},
    finish: (out, count) => {
      for (let first = 0; first < count; first += countMax) {
        writeU16(out, offsetOf(first) - FRAME_COUNT_BYTES, Math.min(countMax, count - first));
      }
      return count === 0 ? 0 : offsetOf(count - 1) + recordBytes;
    },
  };
}
