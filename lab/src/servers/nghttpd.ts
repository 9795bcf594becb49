import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabHost } from '../lab-host.js';
import type { LabProcess } from '../lab-process.js';

/** nghttpd of the system: HTTP/2 without TLS, by prior knowledge. It logs every frame. */
export class Nghttpd {
  readonly process: LabProcess;

  private constructor(process: LabProcess) {
    this.process = process;
  }

  static async start(host: LabHost, port: number): Promise<Nghttpd> {
    const documents = join(host.directory, 'nghttpd');
    mkdirSync(documents, { recursive: true });
    writeFileSync(join(documents, 'index.html'), `${host.name} `.repeat(200));
    writeFileSync(join(documents, 'large'), `${host.name} `.repeat(20_000));
    const process = await host.start('nghttpd', 'stdbuf', [
      '-oL',
      'nghttpd',
      '-v',
      '--no-tls',
      '-d',
      documents,
      String(port),
    ]);
    await host.listening(port, 20_000, process);
    return new Nghttpd(process);
  }

  /** Requests whose headers arrived so far. */
  get requests(): number {
    return this.process.stdoutLines.filter((line) => line.includes('recv (stream_id=') && line.includes(':path: '))
      .length;
  }
}
