/** An engine with a protocol module between one client and a server that talks. */
import type { Credential } from '../../src/protocol/credential.js';
import type { Protocol } from '../../src/protocol/protocol.js';
import type { TargetBehaviour } from './bench-target.js';
import { Client } from './client.js';
import { DIGESTS } from './digests.js';
import { Rig } from './rig.js';

export class LoginBench {
  readonly rig: Rig;
  readonly client = new Client();

  constructor(protocol: Protocol, credentials: readonly Credential[], server: NonNullable<TargetBehaviour['server']>) {
    const byPort = new Map([[80, { protocol, credentials }]]);
    const protocols = { byPort, digests: DIGESTS, nonceKey: new Uint8Array(32) };
    this.rig = new Rig({ protocols }, { server });
  }

  /** A connection that is seen from its start, whose client has heard a greeting of so many octets when it speaks. */
  open(text: Uint8Array | string, greetingBytes = 0): this {
    this.rig.capture(this.client.syn(), this.client.acknowledge());
    return this.say(text, greetingBytes);
  }

  /** The client says something after it heard `heard` octets of online. */
  say(text: Uint8Array | string, heard = 0): this {
    this.client.hear(heard);
    this.rig.capture(this.client.send(text));
    this.rig.wait(50);
    return this;
  }

  /** A connection that ran before the capture: said `before`, joined with `text`. */
  join(before: Uint8Array | string, text: Uint8Array | string): this {
    return this.say(before).say(text, 9);
  }

  /** The target loses the connection. */
  lose(): this {
    const { connections } = this.rig.target;
    this.rig.target.reset(connections[connections.length - 1]!);
    this.rig.settle();
    return this;
  }

  end(): this {
    this.rig.capture(this.client.fin());
    this.rig.wait(1000);
    this.rig.checkEnd();
    return this;
  }

  get problems(): string[] {
    return [...this.rig.engine.loginProblems.keys()];
  }
}
