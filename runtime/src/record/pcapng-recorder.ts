/**
 * `--record`: what was sent to targets and what they answered, as a pcapng file whose packets are flagged outbound
 * (sent) and inbound (answered). Packets are copied into chunks of whole blocks; one chunk at a time is written, without blocking. When the
 * disk is slower than the traffic, packets are left out and counted; when it fails or is full, the recording ends with
 * its last whole chunk. The copying goes on in either case.
 */
import {
  close,
  constants,
  existsSync,
  fstatSync,
  ftruncate,
  ftruncateSync,
  openSync,
  rmSync,
  write,
  writeSync,
} from 'node:fs';
import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
  PacketHeader,
  parsePacket,
  RECORD_OPEN,
  RECORD_RELEASE,
  REPLAY_RECORD_HEADER_BYTES,
  RESPONSE_EVENT,
  RESPONSE_EVENT_SEGMENT,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_SESSION_ID,
  type ReplayBatch,
  type ResponseBatch,
  readU16,
  readU32,
  responseRecordBytes,
  writeChecksums,
} from '@trafficcopy/core';
import { StartError } from '../errors/start-error.js';
import { VERSION } from '../process/version.js';
import {
  ANSWERED,
  fileStart,
  interfaceStatistics,
  PACKET_BLOCK_BYTES,
  SENT,
  writePacketBlock,
} from './pcapng-block.js';
import { RESPONSE_PACKET_BYTES_MAX, ResponseFlow } from './response-packet.js';

const CHUNK_BYTES = 256 * 1024;
/** What is kept of one packet; fits into a chunk with its block. */
const PACKET_BYTES_MAX = 65_535;
const QUEUE_BYTES_MAX_DEFAULT = 32 * 1024 * 1024;
/** Flows whose addresses are remembered for their answers; beyond it the oldest are forgotten. */
const FLOWS_MAX = 262_144;
/** A chunk that does not fill up is written after so long, so that the file can be followed. */
const FLUSH_INTERVAL_MS = 250;

export interface PcapngRecorderOptions {
  readonly path: string;
  /** Octets that may wait for the disk. */
  readonly queueBytesMax?: number;
  /** Called once when the recording ended before its time, with a message for the user. */
  readonly onStop: (message: string) => void;
}

interface Chunk {
  readonly bytes: Buffer;
  readonly view: DataView;
  length: number;
}

export class PcapngRecorder {
  /** Packets seen, and those of them that are not in the file, by direction. */
  readonly #seen: [number, number] = [0, 0];
  readonly #left: [number, number] = [0, 0];
  readonly #options: PcapngRecorderOptions;
  readonly #file: number;
  /** It was not there before. */
  readonly #isNew: boolean;
  readonly #chunksMax: number;
  readonly #flows = new Map<number, ResponseFlow>();
  readonly #header = new PacketHeader();
  readonly #responsePacket = new Uint8Array(RESPONSE_PACKET_BYTES_MAX);
  readonly #free: Chunk[] = [];
  readonly #waiting: Chunk[] = [];
  #filling: Chunk | undefined;
  #flushTimer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #fileBytes = 0;
  #timeUs = 0;
  #stopReason: string | undefined;
  #isStarted = false;
  #isClosed = false;

  /**
   * Opens the file; a new one is readable by its owner only: it holds users' data. One that is there stays as it is until
   * {@link start}, so that a program that cannot start costs nobody an earlier recording.
   * @throws StartError ERR_START_RECORD_FILE when that is not possible.
   */
  constructor(options: PcapngRecorderOptions) {
    this.#options = options;
    this.#chunksMax = Math.max(2, Math.floor((options.queueBytesMax ?? QUEUE_BYTES_MAX_DEFAULT) / CHUNK_BYTES));
    try {
      [this.#file, this.#isNew] = openForWriting(options.path);
    } catch (error) {
      throw startError(options.path, error as Error);
    }
  }

  /**
   * Empties the file and begins the recording; what comes before is not recorded. Call it when nothing else can fail.
   * @throws StartError ERR_START_RECORD_FILE when the file cannot be written.
   */
  start(): void {
    const start = fileStart(`trafficcopy ${VERSION}`);
    try {
      // Pipes and devices have nothing that could be cut.
      if (fstatSync(this.#file).isFile()) ftruncateSync(this.#file, 0);
      this.#fileBytes = writeSync(this.#file, start);
      if (this.#fileBytes < start.length) throw new Error('the disk is full');
    } catch (error) {
      throw startError(this.#options.path, error as Error);
    }
    this.#isStarted = true;
  }

  /** Packets that are in the file or on their way into it. */
  get packetsRecorded(): number {
    return this.#seen[SENT] + this.#seen[ANSWERED] - this.packetsDropped;
  }

  /** Packets left out: the disk was too slow, or the recording has stopped. */
  get packetsDropped(): number {
    return this.#left[SENT] + this.#left[ANSWERED];
  }

  /** Octets of the file. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** Why the recording ended before its time; undefined while all is well. */
  get stopReason(): string | undefined {
    return this.#stopReason;
  }

  /** copy --packets--> target: records all packets of an engine's output batch. The batch is only read. */
  recordReplay(lane: number, batch: ReplayBatch): void {
    this.#timeUs = nowUs();
    const { bytes, length } = batch;
    let at = batch.headroomBytes;
    while (at + REPLAY_RECORD_HEADER_BYTES <= length) {
      const sessionId = readU32(bytes, at);
      const packetBytes = readU16(bytes, at + 4);
      const kind = bytes[at + 6];
      const packetAt = at + REPLAY_RECORD_HEADER_BYTES;
      if (kind === RECORD_RELEASE) this.#flows.delete(flowKey(lane, sessionId));
      else if (packetBytes > 0) {
        if (kind === RECORD_OPEN) this.#rememberFlow(lane, sessionId, bytes, packetAt, packetBytes);
        this.#append(SENT, bytes, packetAt, packetBytes, packetBytes);
      }
      at = packetAt + ((packetBytes + 3) & ~3);
    }
  }

  /** target --response headers--> copy: records a packet without payload for each. The batch is only read. */
  recordResponses(lane: number, batch: ResponseBatch): void {
    this.#timeUs = nowUs();
    let next = batch.offset;
    for (let index = 0; index < batch.count; index += 1) {
      const at = next;
      next += responseRecordBytes(batch, at);
      if (batch.bytes[at + RESPONSE_EVENT] !== RESPONSE_EVENT_SEGMENT) continue;
      const flow = this.#flows.get(flowKey(lane, readU32(batch.bytes, at + RESPONSE_SESSION_ID)));
      if (flow === undefined) {
        this.#seen[ANSWERED] += 1;
        this.#left[ANSWERED] += 1;
        continue;
      }
      const length = flow.writePacket(batch.bytes, at, this.#responsePacket);
      const payloadBytes = readU32(batch.bytes, at + RESPONSE_PAYLOAD_BYTES);
      this.#append(ANSWERED, this.#responsePacket, 0, length, length + payloadBytes);
    }
  }

  /** Records packets as they stand: injected ones (`sent`) or those of a response queue (`answered`). Only read. */
  recordPackets(direction: 'sent' | 'answered', batch: PacketBatch): void {
    this.#timeUs = nowUs();
    const index = direction === 'sent' ? SENT : ANSWERED;
    for (let packet = 0; packet < batch.count; packet += 1) {
      const entry = packet * PACKET_ENTRY_FIELDS;
      this.#append(
        index,
        batch.bytes,
        batch.entries[entry + ENTRY_OFFSET]!,
        batch.entries[entry + ENTRY_CAPTURED_BYTES]!,
        batch.entries[entry + ENTRY_WIRE_BYTES]!,
      );
    }
  }

  /** Writes what waits and the statistics, and closes the file. Never rejects. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isStarted && this.#isNew) rmSync(this.#options.path, { force: true });
    clearTimeout(this.#flushTimer);
    this.#seal();
    await this.#writing;
    if (this.#isStarted && this.#stopReason === undefined) {
      const seen = this.#seen[SENT] + this.#seen[ANSWERED];
      await this.#writeWhole(interfaceStatistics(nowUs(), seen, this.packetsDropped)).catch((error: Error) =>
        this.#stop(error),
      );
    }
    await new Promise<void>((resolve) => close(this.#file, () => resolve()));
  }

  #rememberFlow(lane: number, sessionId: number, bytes: Uint8Array, at: number, packetBytes: number): void {
    if (parsePacket(bytes, at, packetBytes, packetBytes, this.#header) !== 'ok') return;
    if (this.#flows.size >= FLOWS_MAX) {
      const oldest = this.#flows.keys().next().value;
      if (oldest !== undefined) this.#flows.delete(oldest);
    }
    this.#flows.set(flowKey(lane, sessionId), new ResponseFlow(bytes, this.#header));
  }

  #append(index: 0 | 1, bytes: Uint8Array, offset: number, capturedBytes: number, wireBytes: number): void {
    this.#seen[index] += 1;
    const presentBytes = Math.min(capturedBytes, PACKET_BYTES_MAX, bytes.length - offset);
    const chunk = presentBytes < 0 ? undefined : this.#chunkWithRoom(PACKET_BLOCK_BYTES + ((presentBytes + 3) & ~3));
    if (chunk === undefined) {
      this.#left[index] += 1;
      return;
    }
    const at = writePacketBlock(chunk.view, chunk.length, index, this.#timeUs, presentBytes, wireBytes);
    chunk.bytes.set(bytes.subarray(offset, offset + presentBytes), at);
    chunk.length += PACKET_BLOCK_BYTES + ((presentBytes + 3) & ~3);
    if (index === SENT && presentBytes === wireBytes) this.#fillInChecksums(chunk.bytes, at, presentBytes);
  }

  /** They are left to whoever sends the packet; Wireshark should not call them wrong. */
  #fillInChecksums(bytes: Uint8Array, at: number, packetBytes: number): void {
    if (parsePacket(bytes, at, packetBytes, packetBytes, this.#header) !== 'ok') return;
    writeChecksums(bytes, at, this.#header);
  }

  #chunkWithRoom(blockBytes: number): Chunk | undefined {
    if (!this.#isStarted || this.#isClosed || this.#stopReason !== undefined) return undefined;
    if (this.#filling !== undefined && this.#filling.length + blockBytes > CHUNK_BYTES) this.#seal();
    if (this.#filling === undefined) {
      if (this.#waiting.length >= this.#chunksMax) return undefined;
      this.#filling = this.#free.pop() ?? newChunk();
      this.#flushTimer ??= setTimeout(() => {
        this.#flushTimer = undefined;
        this.#seal();
      }, FLUSH_INTERVAL_MS).unref();
    }
    return this.#filling;
  }

  /** Hands the filling chunk to the disk. */
  #seal(): void {
    const chunk = this.#filling;
    if (chunk === undefined) return;
    this.#filling = undefined;
    this.#waiting.push(chunk);
    this.#writing ??= this.#writeWaiting();
  }

  /** Never rejects. `#writing` is taken back in the same step as the last look at what waits, so that none is left. */
  async #writeWaiting(): Promise<void> {
    for (let chunk = this.#waiting[0]; chunk !== undefined; chunk = this.#waiting[0]) {
      try {
        await this.#writeWhole(chunk.bytes.subarray(0, chunk.length));
      } catch (error) {
        this.#stop(error as NodeJS.ErrnoException);
        break;
      }
      this.#waiting.shift();
      chunk.length = 0;
      this.#free.push(chunk);
    }
    this.#writing = undefined;
  }

  /** Appends all of `bytes` or, when that fails, none: the file ends with a whole block. */
  async #writeWhole(bytes: Uint8Array): Promise<void> {
    let written = 0;
    try {
      while (written < bytes.length) written += await writeSome(this.#file, bytes, written);
    } catch (error) {
      // Not for pipes, which cannot be cut; the error that counts is the first one.
      await new Promise<void>((resolve) => ftruncate(this.#file, this.#fileBytes, () => resolve()));
      throw error;
    }
    this.#fileBytes += bytes.length;
  }

  #stop(error: NodeJS.ErrnoException): void {
    const advice = error.code === 'ENOSPC' ? 'the disk is full: free some space' : 'see to the file';
    this.#stopReason = error.code ?? error.message;
    this.#waiting.length = 0;
    this.#free.length = 0;
    this.#filling = undefined;
    this.#flows.clear();
    clearTimeout(this.#flushTimer);
    this.#options.onStop(
      `recording to ${this.#options.path} stopped after ${this.#fileBytes} octets (${this.#stopReason}): ${advice} and start again; copying goes on`,
    );
  }
}

/** Lanes number sessions for themselves. */
function flowKey(lane: number, sessionId: number): number {
  return lane * 2 ** 32 + sessionId;
}

/** Without emptying it; and whether it is new. */
function openForWriting(path: string): [file: number, isNew: boolean] {
  const isNew = !existsSync(path);
  return [openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600), isNew];
}

function newChunk(): Chunk {
  const bytes = Buffer.alloc(CHUNK_BYTES);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), length: 0 };
}

function nowUs(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000);
}

function writeSome(file: number, bytes: Uint8Array, from: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(file, bytes, from, bytes.length - from, null, (error, written) => {
      if (error !== null) reject(error);
      else if (written === 0) reject(Object.assign(new Error('nothing was written'), { code: 'ENOSPC' }));
      else resolve(written);
    });
  });
}

function startError(path: string, cause: Error): StartError {
  return new StartError(
    'ERR_START_RECORD_FILE',
    `--record: cannot write ${path}: ${cause.message}; name a file in a directory that exists, that you may write to, and that has room`,
    { cause },
  );
}
