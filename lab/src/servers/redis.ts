import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LabHost } from '../lab-host.js';
import type { LabProcess } from '../lab-process.js';

/** redis-server of the system, without persistence. */
export class Redis {
  readonly process: LabProcess;
  readonly #host: LabHost;
  readonly #port: number;
  #password: string | undefined;

  private constructor(process: LabProcess, host: LabHost, port: number) {
    this.process = process;
    this.#host = host;
    this.#port = port;
  }

  static async start(host: LabHost, port: number): Promise<Redis> {
    const directory = join(host.directory, `redis-${port}`);
    mkdirSync(directory, { recursive: true });
    const process = await host.start('redis', 'redis-server', [
      ...['--port', String(port), '--bind', '0.0.0.0', '::', '--dir', directory, '--protected-mode', 'no'],
      ...['--save', '', '--appendonly', 'no', '--enable-debug-command', 'yes', '--daemonize', 'no'],
    ]);
    await host.listening(port, 20_000, process);
    return new Redis(process, host, port);
  }

  /** One command over the Unix way of asking: from the host itself. */
  async command(...words: string[]): Promise<string> {
    const login = this.#password === undefined ? [] : ['-a', this.#password, '--no-auth-warning'];
    return (await this.#host.expect('redis-cli', ['-p', String(this.#port), ...login, ...words])).trim();
  }

  /** From now on the default user needs this password. */
  async requirePassword(password: string): Promise<void> {
    await this.command('CONFIG', 'SET', 'requirepass', password);
    this.#password = password;
  }

  /** Calls by command, without those that only this class makes. */
  async calls(): Promise<Record<string, number>> {
    const calls: Record<string, number> = {};
    for (const [, name = '', count] of (await this.command('INFO', 'commandstats')).matchAll(
      /cmdstat_([^:]+):calls=(\d+)/g,
    )) {
      if (!['info', 'debug', 'command|docs', 'command'].includes(name)) calls[name] = Number(count);
    }
    return calls;
  }

  /** A digest of the whole data set. */
  digest(): Promise<string> {
    return this.command('DEBUG', 'DIGEST');
  }
}
