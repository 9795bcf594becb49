import { chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectCommand } from '../command.js';
import { LabError } from '../lab-error.js';
import type { LabHost } from '../lab-host.js';
import type { LabProcess } from '../lab-process.js';

const DEBIAN_DIRECTORY = '/usr/lib/postgresql';

/** PostgreSQL of the system as its user `postgres`, with a data directory of its own; every login is trusted. */
export class Postgresql {
  readonly process: LabProcess;
  readonly #host: LabHost;
  readonly #port: number;
  readonly #directory: string;

  private constructor(process: LabProcess, host: LabHost, port: number, directory: string) {
    this.process = process;
    this.#host = host;
    this.#port = port;
    this.#directory = directory;
  }

  /** Starts one server on each host, all from the same fresh data directory. */
  static async startTwins(hosts: readonly LabHost[], port: number): Promise<Postgresql[]> {
    const [first] = hosts;
    if (first === undefined) return [];
    const template = join(first.directory, 'postgresql-template');
    await ownedDirectory(template);
    await expectCommand('setpriv', [
      ...asPostgres(),
      ...[program('initdb'), '-D', template, '-A', 'trust', '-U', 'postgres', '--no-sync', '--locale=C', '-E', 'UTF8'],
    ]);
    writeFileSync(join(template, 'pg_hba.conf'), 'local all all trust\nhost all all all trust\n');
    return Promise.all(hosts.map((host) => Postgresql.#start(host, port, template)));
  }

  static async #start(host: LabHost, port: number, template: string): Promise<Postgresql> {
    const directory = join(host.directory, 'postgresql');
    await expectCommand('cp', ['-a', template, directory]);
    const process = await host.start('postgresql', 'setpriv', [
      ...asPostgres(),
      ...[program('postgres'), '-D', directory, '-p', String(port), '-k', directory],
      ...['-c', 'listen_addresses=*', '-c', 'fsync=off', '-c', 'autovacuum=off'],
    ]);
    await process.waitForLine(/ready to accept connections/, 30_000);
    return new Postgresql(process, host, port, directory);
  }

  /** One statement from the host itself, over the Unix socket. */
  async query(statement: string): Promise<string> {
    const words = [
      '-h',
      this.#directory,
      '-p',
      String(this.#port),
      '-U',
      'postgres',
      '-d',
      'postgres',
      '-XAtq',
      '-c',
      statement,
    ];
    return (await this.#host.expect(program('psql'), words)).trim();
  }

  /** How each of these roles logs in over TCP from now on, by the method's name in pg_hba.conf; others are trusted. */
  async requireLogins(methods: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries(methods).map(([role, method]) => `host all ${role} all ${method}`);
    const rules = ['local all all trust', ...lines, 'host all all all trust', ''];
    writeFileSync(join(this.#directory, 'pg_hba.conf'), rules.join('\n'));
    await this.query('SELECT pg_reload_conf()');
  }

  /** A client program of the same version ("psql", "pgbench"). */
  static program(name: string): string {
    return program(name);
  }

  /** Fast shutdown: open connections are ended. */
  async stop(): Promise<void> {
    await this.process.stop('SIGINT');
  }
}

function program(name: string): string {
  const versions = readdirSync(DEBIAN_DIRECTORY).sort((one, other) => Number(other) - Number(one));
  const [newest] = versions;
  if (newest === undefined)
    throw new LabError('ERR_LAB_COMMAND', `no PostgreSQL in ${DEBIAN_DIRECTORY}: run scripts/setup.sh`);
  return join(DEBIAN_DIRECTORY, newest, 'bin', name);
}

function asPostgres(): string[] {
  return ['--reuid=postgres', '--regid=postgres', '--init-groups'];
}

async function ownedDirectory(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const [user, group] = (await expectCommand('sh', ['-c', 'id -u postgres; id -g postgres']))
    .trim()
    .split('\n')
    .map(Number);
  chownSync(directory, user!, group!);
}
