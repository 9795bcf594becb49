import { createHash } from 'node:crypto';
import { expectCommand } from './command.js';

/** The octets that one connection carried towards the server, put together from a capture. */
export interface CapturedStream {
  /** "ADDRESS:PORT", as in the capture. */
  readonly client: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Octets between the first and the last that the capture does not hold. */
  readonly missingBytes: number;
}

interface Assembly {
  readonly client: string;
  readonly iss: number;
  readonly pieces: Map<number, Buffer>;
}

/** Puts the client's streams towards TCP `port` together from a capture file, with tshark as the parser. */
export async function capturedStreams(file: string, port: number): Promise<CapturedStream[]> {
  const fields = ['ip.src', 'ipv6.src', 'tcp.srcport', 'tcp.seq_raw', 'tcp.flags.syn', 'tcp.payload'];
  const lines = await expectCommand('tshark', [
    ...['-n', '-r', file, '-Y', `tcp.dstport == ${port}`, '-T', 'fields', '-E', 'separator=;', '-E', 'occurrence=f'],
    ...[
      '-o',
      'tcp.desegment_tcp_streams:FALSE',
      '-o',
      'tcp.try_heuristic_first:FALSE',
      '-o',
      'tcp.analyze_sequence_numbers:FALSE',
    ],
    ...fields.flatMap((field) => ['-e', field]),
  ]);
  const assemblies: Assembly[] = [];
  const latest = new Map<string, Assembly>();
  for (const line of lines.split('\n')) {
    if (line === '') continue;
    const [ipv4 = '', ipv6 = '', sourcePort = '', seqText = '', syn = '', payload = ''] = line.split(';');
    const client = ipv4 === '' ? `[${ipv6}]:${sourcePort}` : `${ipv4}:${sourcePort}`;
    const seq = Number(seqText);
    let assembly = latest.get(client);
    if (syn === '1' || syn === 'True') {
      if (assembly?.iss === seq) continue;
      assembly = { client, iss: seq, pieces: new Map() };
      latest.set(client, assembly);
      assemblies.push(assembly);
      continue;
    }
    if (assembly === undefined || payload === '') continue;
    const offset = (seq - assembly.iss - 1) >>> 0;
    const piece = Buffer.from(payload.replaceAll(':', ''), 'hex');
    const known = assembly.pieces.get(offset);
    if (known === undefined || known.length < piece.length) assembly.pieces.set(offset, piece);
  }
  return assemblies.map(assemble);
}

function assemble({ client, pieces }: Assembly): CapturedStream {
  const hash = createHash('sha256');
  let at = 0;
  let missingBytes = 0;
  for (const [offset, piece] of [...pieces].sort(([one], [other]) => one - other)) {
    if (offset > at) missingBytes += offset - at;
    const skip = Math.max(0, at - offset);
    if (skip >= piece.length) continue;
    hash.update(piece.subarray(skip));
    at = offset + piece.length;
  }
  return { client, bytes: at, sha256: hash.digest('hex'), missingBytes };
}
