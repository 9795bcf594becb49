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

const SECRET = `service.account.${'x'.repeat(900)}`;
const DEADLINE_MS = 20_000;

/** As much of an operator as an intercept meets: an authority that knows one token, settings out, reports in. */
export class StubOperator {
  readonly authority: CertificateAuthority;
  readonly directory = mkdtempSync(join(tmpdir(), 'tcI-operator-'));
  readonly joinFile = join(this.directory, 'token');
  readonly authorityFile = join(this.directory, 'ca.crt');
  port = 0;
  joins = 0;
  report: InterceptReport | undefined;
  connection: ChannelConnection | undefined;
  #server: ChannelServer | undefined;
  #revision = 0;
  #pods: readonly InterceptPodSettings[] | undefined;

  private constructor(authority: CertificateAuthority) {
    this.authority = authority;
    writeFileSync(this.joinFile, `${SECRET}\n`);
    writeFileSync(this.authorityFile, authority.certificate);
  }

  static async start(): Promise<StubOperator> {
    const operator = new StubOperator(new CertificateAuthority(await createAuthority(Date.now())));
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
          if (request.secret !== SECRET) return { code: 'tokenUnknown', message: 'not the token of an intercept' };
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
