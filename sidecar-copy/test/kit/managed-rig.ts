import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CopyEndpointSettings, CopyReport, CopySettings } from '@trafficcopy/core';
import { eventually, Lab, type LabHost, type LabProcess, TRAFFIC_COPY, TrafficCopy } from '@trafficcopy/lab';

const OPERATOR = fileURLToPath(new URL('./operator-program.js', import.meta.url));
const OPERATOR_PORT = 36600;
const INTERCEPT_PORT = 36524;
export const ONLINE_PORT = 80;
export const TARGET_PORT = 8080;

/** As in a pod: nothing on the root can be written, and NET_RAW is the only right. */
const POD_SHELL =
  'mount --make-rprivate / && mount -o remount,ro,bind / && exec setpriv --no-new-privs --bounding-set=-all,+net_raw --inh-caps=-all,+net_raw -- "$@"';

/**
 * A copy under a stand-in for the operator, with real intercepts on `target` and `second`: a pod, an operator and two target pods in
 * network namespaces.
 */
export class ManagedRig {
  readonly lab: Lab;
  readonly second: LabHost;
  readonly operator: LabProcess;
  private readonly token: string;
  private settings: CopySettings;

  private constructor(lab: Lab, operator: LabProcess, token: string) {
    this.lab = lab;
    this.second = lab.host('second');
    this.operator = operator;
    this.token = token;
    this.settings = SETTINGS;
  }

  /** @param extraHosts names of hosts besides */
  static async with<T>(work: (rig: ManagedRig) => Promise<T>, extraHosts: readonly string[] = []): Promise<T> {
    return Lab.with({ extraHosts: ['second', 'operator', ...extraHosts] }, async (lab) => {
      const first = await TrafficCopy.intercept(lab.target, { name: 'intercept' });
      const authority = join(first.stateDirectory, 'authority.pem');
      const secondState = join(lab.host('second').directory, 'state-intercept');
      mkdirSync(secondState, { recursive: true, mode: 0o700 });
      copyFileSync(authority, join(secondState, 'authority.pem'));
      await TrafficCopy.intercept(lab.host('second'), { name: 'intercept' });
      const args = [OPERATOR, '--authority', authority, '--port', String(OPERATOR_PORT)];
      const operator = await lab.host('operator').start('operator', process.execPath, args, { withControl: true });
      const { token } = await operator.ready<{ token: string }>();
      return work(new ManagedRig(lab, operator, token));
    });
  }

  endpoint(host: LabHost): CopyEndpointSettings {
    return { address: host.ipv4, port: TARGET_PORT, interceptHost: host.ipv4, interceptPort: INTERCEPT_PORT };
  }

  /** Changes what the copy should do; each change is a generation. */
  async configure(change: Partial<CopySettings>): Promise<void> {
    this.settings = { ...this.settings, ...change, generation: this.settings.generation + 1 };
    await this.operator.ask('configure', this.settings);
  }

  /** One target with these endpoints. */
  async configureTarget(...hosts: readonly LabHost[]): Promise<void> {
    const targets = [{ name: 'candidate', endpoints: hosts.map((host) => this.endpoint(host)) }];
    await this.configure({ mappings: [{ onlinePort: ONLINE_PORT, targets }] });
  }

  startCopy(
    flags: readonly string[] = [],
    variables: { readonly [name: string]: string } = {},
    name = 'copy',
  ): Promise<LabProcess> {
    const copy = [TRAFFIC_COPY, 'copy', '--operator', `${this.lab.host('operator').ipv4}:${OPERATOR_PORT}`, ...flags];
    const env = { TRAFFICCOPY_TOKEN: this.token, POD_NAMESPACE: 'shop', POD_NAME: 'online-1', ...variables };
    return this.lab.online.start(name, 'unshare', ['--mount', 'sh', '-c', POD_SHELL, 'sh', ...copy], { env });
  }

  async lastReport(): Promise<CopyReport | undefined> {
    return (await this.reports()).last ?? undefined;
  }

  private reports(): Promise<{ readonly count: number; readonly last: CopyReport | null }> {
    return this.operator.ask('reports');
  }

  /** The first report that says so, of those that come from now on. */
  async reportThat(what: string, holds: (report: CopyReport) => boolean): Promise<CopyReport> {
    const before = (await this.reports()).count;
    return await eventually(`a report: ${what}`, 20_000, async () => {
      const { count, last } = await this.reports();
      return count > before && last !== null && holds(last) ? last : undefined;
    });
  }

  /** The settings are in force, and the copy works at them. */
  inForce(): Promise<CopyReport> {
    const { generation } = this.settings;
    return this.reportThat(
      `generation ${generation} is in force, all endpoints are up`,
      (report) => report.generation === generation && report.endpoints.every(({ isUp }) => isUp),
    );
  }

  /** Everything that was captured has been delivered or given up. */
  settled(): Promise<CopyReport> {
    let before: CopyReport | undefined;
    return this.reportThat('nothing is pending, and nothing new comes', (report) => {
      if (report.elapsedMs === before?.elapsedMs) return false;
      const isStill = before?.turnsCaptured === report.turnsCaptured && report.turnsPending === 0;
      before = report;
      return isStill;
    });
  }
}

export function lostTurns({ turnsLost }: CopyReport): number {
  return Object.values(turnsLost).reduce((sum, count) => sum + count, 0);
}

const SETTINGS: CopySettings = {
  kind: 'copy',
  generation: 0,
  state: 'running',
  delivery: 'tunnel',
  capture: 'wire',
  mappings: [],
  sample: { fraction: 1, by: 'connection', seed: 0 },
  copies: 1,
  clientRanges: [],
  limits: { sessionsMax: 10_000, heldBytesMax: 64 * 1024 * 1024, bytesPerSecondMax: 0 },
};
