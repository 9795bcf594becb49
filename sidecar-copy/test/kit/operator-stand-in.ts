import {
  type CopyReport,
  type CopySettings,
  encodeCopySettings,
  encodeStop,
  FRAME,
  parseCopyReport,
  type RefusalCode,
} from '@trafficcopy/core';
import {
  type CertificateAuthority,
  type ChannelAuthority,
  type ChannelConnection,
  ChannelServer,
  formatJoinToken,
  newJoinToken,
} from '@trafficcopy/runtime';

export interface OperatorStandInOptions {
  readonly authority: CertificateAuthority;
  readonly address: string;
  /** 0: any. */
  readonly port: number;
  /** Of a TrafficCopy; another stand-in's, to be its other replica. */
  readonly token?: string | undefined;
}

/** The copy that joins: `<namespace>/<UID of the TrafficCopy>/<UID of the pod>`. */
const COPY_NAME = 'shop/7d3c/online-1';

/** In place of an operator: lets copies in, says what they should do, and writes down what they report. */
export class OperatorStandIn {
  readonly token: string;
  readonly reports: CopyReport[] = [];
  readonly refusalsTold: string[] = [];
  joins = 0;
  /** Refuse every JOIN and every HELLO with this. */
  refusal: RefusalCode | undefined;
  /** Send every copy there. */
  leader: { readonly host: string; readonly port: number } | undefined;
  private settings: CopySettings | undefined;
  private readonly server: ChannelServer;

  private constructor(options: OperatorStandInOptions, server: (standIn: OperatorStandIn) => ChannelServer) {
    this.token = options.token ?? formatJoinToken(newJoinToken(options.authority.pin));
    this.server = server(this);
  }

  static async start(options: OperatorStandInOptions): Promise<OperatorStandIn> {
    const { authority, address, port } = options;
    const credentials = await authority.serverCredentials('operator', 'operator');
    const standIn = new OperatorStandIn(
      options,
      (self) =>
        new ChannelServer({
          address,
          port,
          credentials,
          authority: self.policy(authority),
          hello: { role: 'operator', name: 'operator', delivery: 'tunnel', capabilities: [], targets: [] },
          clientRoles: ['copy'],
          authorize: () => self.refusalOf(),
          onConnection: (connection) => self.connected(connection),
          onFrame: (_connection, type, bytes, offset, length) => {
            const report = type === FRAME.STATS ? parseCopyReport(bytes, offset, length) : undefined;
            if (report !== undefined) self.reports.push(report);
          },
          onClose: () => {},
          onRefusal: (error) => self.refusalsTold.push(error.message),
        }),
    );
    await standIn.server.listen();
    return standIn;
  }

  private policy(authority: CertificateAuthority): ChannelAuthority {
    const holder = { role: 'copy', name: COPY_NAME, usages: ['client'] } as const;
    return {
      join: async ({ secret, certificateRequest }) => {
        this.joins += 1;
        const refusal = this.refusalOf();
        if (refusal !== undefined) return refusal;
        if (!this.token.includes(`.${secret}.`)) return { code: 'tokenUnknown', message: 'no TrafficCopy has it' };
        return await authority.grant(certificateRequest, holder);
      },
      renew: async (_identity, certificateRequest) => await authority.grant(certificateRequest, holder),
      serverCredentials: async () => await authority.serverCredentials('operator', 'operator'),
    };
  }

  private refusalOf(): { readonly code: RefusalCode; readonly message: string } | undefined {
    return this.refusal === undefined ? undefined : { code: this.refusal, message: 'as the test wants it' };
  }

  private connected(connection: ChannelConnection): void {
    if (this.leader !== undefined) this.server.redirect(connection, this.leader.host, this.leader.port);
    else if (this.settings !== undefined) connection.send(FRAME.CONFIG, encodeCopySettings(this.settings));
  }

  get port(): number {
    return this.server.port;
  }

  get connections(): ReadonlySet<ChannelConnection> {
    return this.server.connections;
  }

  /** To those that are connected and those that come. */
  configure(settings: CopySettings): void {
    this.settings = settings;
    for (const connection of this.connections) connection.send(FRAME.CONFIG, encodeCopySettings(settings));
  }

  stopCopies(message: string): void {
    for (const connection of this.connections) connection.send(FRAME.STOP, encodeStop({ message }));
  }

  sendRaw(type: (typeof FRAME)[keyof typeof FRAME], payload: Uint8Array): void {
    for (const connection of this.connections) connection.send(type, payload);
  }

  async close(): Promise<void> {
    await this.server.close();
  }
}
