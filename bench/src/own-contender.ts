import { type Lab, TrafficCopy } from '@trafficcopy/lab';
import type { Contender, RunningContender } from './contender.js';

const SETTLE_MS = 10_000;

export interface OwnOptions {
  readonly name: string;
  readonly delivery: 'tunnel' | 'direct';
  readonly isSecure: boolean;
  readonly copyFlags?: readonly string[];
  readonly interceptFlags?: readonly string[];
  readonly onlyWorkload?: string;
}

/** TrafficCopy, started by its command. */
export class OwnContender implements Contender {
  readonly name: string;
  readonly extraHosts: readonly string[] = [];
  readonly onlyWorkload: string | undefined;
  readonly options: OwnOptions;

  constructor(options: OwnOptions) {
    this.name = options.name;
    this.options = options;
    this.onlyWorkload = options.onlyWorkload;
  }

  async start(lab: Lab, ports: { readonly online: number; readonly target: number }): Promise<RunningContender> {
    const { delivery, isSecure, copyFlags = [], interceptFlags = [] } = this.options;
    const intercept = await TrafficCopy.intercept(lab.target, { insecure: !isSecure, flags: interceptFlags });
    const copy = await TrafficCopy.copy(lab.online, {
      map: `${ports.online}-${lab.target.ipv4}:${ports.target}`,
      join: isSecure ? await intercept.joinToken() : 'insecure',
      delivery,
      flags: copyFlags,
    });
    return {
      copy: copy.process,
      intercept: intercept.process,
      // What is still on its way then counts as missing.
      quiet: () => copy.quiet(SETTLE_MS).catch(() => {}),
      async stop() {
        await copy.stop();
        await intercept.stop();
      },
    };
  }
}
