import { join } from 'node:path';
import { expectCommand } from '../command.js';
import type { LabHost } from '../lab-host.js';
import type { LabProcess } from '../lab-process.js';

/** MariaDB of the system with a data directory of its own. Users: `open` without a password, `closed` with «secret», database `shop`. */
export class Mariadb {
  readonly process: LabProcess;
  readonly #host: LabHost;
  readonly #socket: string;

  private constructor(process: LabProcess, host: LabHost, socket: string) {
    this.process = process;
    this.#host = host;
    this.#socket = socket;
  }

  /** Starts one server on each host, all from the same fresh data directory. */
  static async startTwins(hosts: readonly LabHost[], port: number): Promise<Mariadb[]> {
    const [first] = hosts;
    if (first === undefined) return [];
    const template = join(first.directory, 'mariadb-template');
    await expectCommand('mariadb-install-db', [
      ...['--no-defaults', `--datadir=${template}`, '--user=root', '--auth-root-authentication-method=normal'],
      ...['--skip-test-db', '--skip-name-resolve', '--innodb-flush-method=nosync'],
    ]);
    return Promise.all(hosts.map((host) => Mariadb.#start(host, port, template)));
  }

  static async #start(host: LabHost, port: number, template: string): Promise<Mariadb> {
    const directory = join(host.directory, 'mariadb');
    const socket = join(host.directory, 'mariadb.sock');
    await expectCommand('cp', ['-a', template, directory]);
    const process = await host.start('mariadb', 'mariadbd', [
      ...[
        '--no-defaults',
        `--datadir=${directory}`,
        '--user=root',
        `--port=${port}`,
        '--bind-address=*',
        `--socket=${socket}`,
      ],
      ...[
        '--skip-name-resolve',
        '--innodb-flush-method=nosync',
        '--innodb-buffer-pool-size=32M',
        '--pid-file=mariadb.pid',
      ],
    ]);
    await host.listening(port, 60_000, process);
    const mariadb = new Mariadb(process, host, socket);
    await mariadb.query(
      'CREATE DATABASE shop; CREATE USER open; CREATE USER closed IDENTIFIED BY "secret";' +
        'GRANT ALL ON shop.* TO open; GRANT ALL ON shop.* TO closed; CREATE TABLE shop.orders (id INT PRIMARY KEY, item TEXT)',
    );
    return mariadb;
  }

  /** Statements from the host itself, over the Unix socket. */
  async query(statement: string): Promise<string> {
    return (
      await this.#host.expect('mariadb', [
        '--no-defaults',
        '-uroot',
        `--socket=${this.#socket}`,
        '-BN',
        '-e',
        statement,
      ])
    ).trim();
  }

  /** Structure and rows of all tables of `shop`, as mariadb-dump writes them. */
  dump(): Promise<string> {
    const login = ['--no-defaults', '-uroot', `--socket=${this.#socket}`];
    return this.#host.expect('mariadb-dump', [...login, '--skip-comments', '--order-by-primary', 'shop']);
  }

  async status(variable: string): Promise<number> {
    return Number((await this.query(`SHOW GLOBAL STATUS LIKE '${variable}'`)).split('\t')[1]);
  }
}
