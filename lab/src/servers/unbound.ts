import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabHost } from '../lab-host.js';
import type { LabProcess } from '../lab-process.js';

/** unbound of the system: answers every name below `test` by itself, and writes down each question. */
export class Unbound {
  readonly process: LabProcess;

  private constructor(process: LabProcess) {
    this.process = process;
  }

  static async start(host: LabHost, port: number): Promise<Unbound> {
    const directory = join(host.directory, `unbound-${port}`);
    mkdirSync(directory, { recursive: true });
    const file = join(directory, 'unbound.conf');
    writeFileSync(
      file,
      `server:
  port: ${port}
  interface: 0.0.0.0
  interface: ::0
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "${directory}"
  pidfile: ""
  use-syslog: no
  log-queries: yes
  verbosity: 0
  num-threads: 1
  local-zone: "test." redirect
  local-data: "test. A 192.0.2.1"
  local-data: "test. AAAA 2001:db8::1"
remote-control:
  control-enable: no
`,
    );
    const process = await host.start('unbound', 'unbound', ['-d', '-c', file]);
    await host.listening(port, 20_000, process);
    return new Unbound(process);
  }

  /** Names that were asked for so far, in their order. */
  names(): string[] {
    return this.process.lines.flatMap((line) => {
      const [, name] = / info: \S+ (\S+)\. \w+ IN$/.exec(line) ?? [];
      return name === undefined ? [] : [name];
    });
  }
}
