import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeInterceptSettings,
  FRAME,
  type InterceptPodSettings,
  type InterceptReport,
  parseInterceptReport,
} from '@trafficcopy/core';
import { eventually } from '@trafficcopy/lab';
import {
  CertificateAuthority,
  type ChannelConnection,
  ChannelServer,
  type ClientCredentials,
  createAuthority,
} from '@trafficcopy/runtime';

/** As long as a service account token. */
export const SECRET = `service.account.${'x'.repeat(900)}`;
const DEADLINE_MS = 20_000;

/** As much of an operator as an intercept meets: an authority that knows one token, settings out, reports in. */
export class StubOperator {
  authority: CertificateAuthority;
  /** A leader elsewhere: who connects is sent there. */
  leaderPort: number | undefined;
  readonly directory = mkdtempSync(join(tmpdir(), 'tcI-operator-'));
  readonly joinFile = join(this.directory, 'token');
  readonly authorityFile = join(this.directory, 'ca.crt');
  port = 0;
  joins = 0;
  joinsRefused = 0;
  report: InterceptReport | undefined;
  connection: ChannelConnection | undefined;
  #server: ChannelServer | undefined;
  #revision = 0;
  #pods: readonly InterceptPodSettings[] | undefined;

  private constructor(authority: CertificateAuthority) {
    this.authority = authority;
    this.writeFiles();
  }

  /** What an intercept finds in its mounts. */
  writeFiles(secret = SECRET): void {
    writeFileSync(this.joinFile, `${secret}\n`);
    writeFileSync(this.authorityFile, this.authority.certificate);
  }

  /** Another authority, as after its Secret was deleted; for who comes after the next {@link listen}. */
  async changeAuthority(): Promise<void> {
    this.authority = new CertificateAuthority(await createAuthority(Date.now()));
  }

  /** @param like an operator with the same authority, as another replica has it. */
  static async start(like?: StubOperator): Promise<StubOperator> {
    const authority = like?.authority ?? new CertificateAuthority(await createAuthority(Date.now()));
    const operator = new StubOperator(authority);
    await operator.listen();
    return operator;
  }

  async listen(): Promise<void> {
    const { authority } = this;
    const server = new ChannelServer({
      address: '127.0.0.1',
      port: this.port,
      credentials: await authority.serverCredentials('operator', 'operator'),
      authority: {
        join: async (request) => {
          if (request.secret !== SECRET) {
            this.joinsRefused += 1;
            return { code: 'tokenUnknown', message: 'not the token of an intercept' };
          }
          this.joins += 1;
          const holder = { role: 'intercept', name: request.name, usages: ['server', 'client'] } as const;
          return await authority.grant(request.certificateRequest, holder);
        },
        renew: async () => ({ code: 'unavailable', message: 'not here' }),
        serverCredentials: () => authority.serverCredentials('operator', 'operator'),
      },
      hello: { role: 'operator', name: 'stub', delivery: 'tunnel', capabilities: [], targets: [] },
      clientRoles: ['intercept'],
      onConnection: (connection) => {
        if (this.leaderPort !== undefined) {
          server.redirect(connection, '127.0.0.1', this.leaderPort);
          return;
        }
        this.connection = connection;
        if (this.#pods !== undefined) this.#send();
      },
      onFrame: (_connection, type, bytes, offset, length) => {
        if (type === FRAME.STATS) this.report = parseInterceptReport(bytes, offset, length);
      },
      onClose: () => {
        this.connection = undefined;
      },
    });
    await server.listen();
    this.#server = server;
    this.port = server.port;
  }

  /** What the node should serve, now and whenever its intercept connects. */
  want(pods: readonly InterceptPodSettings[]): void {
    this.#revision += 1;
    this.#pods = pods;
    this.#send();
  }

  #send(): void {
    const settings = { kind: 'intercept', revision: this.#revision, pods: this.#pods ?? [] } as const;
    this.connection?.send(FRAME.CONFIG, encodeInterceptSettings(settings));
  }

  /** Waits for a report of an intercept that has the last settings in which `isIt` holds. */
  async reported(what: string, isIt: (report: InterceptReport) => boolean): Promise<InterceptReport> {
    return await eventually(`a report: ${what}`, DEADLINE_MS, () => {
      const { report } = this;
      return report !== undefined && report.revision === this.#revision && isIt(report) ? report : undefined;
    });
  }

  stateOf(uid: string): string | undefined {
    return this.report?.pods.find((pod) => pod.uid === uid)?.state;
  }

  async serving(...uids: readonly string[]): Promise<void> {
    await this.reported(`${uids.length} pods are served`, () => uids.every((uid) => this.stateOf(uid) === 'serving'));
  }

  /** A copy's certificate of this authority, or of `authority`. */
  async copyCredentials(name: string, authority: CertificateAuthority = this.authority): Promise<ClientCredentials> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const holder = { role: 'copy', name, usages: ['client'] } as const;
    return {
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      certificate: await authority.issue(publicKey.export({ type: 'spki', format: 'der' }), holder),
      authority: this.authority.certificate,
    };
  }

  /** Goes away, as an operator that is deleted; {@link listen} brings it back at the same port. */
  async stop(): Promise<void> {
    await this.#server?.close();
    this.report = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
