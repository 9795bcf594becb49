import type { Script } from './script.js';
import { Session } from './session.js';

/** A session that says what its script makes of the client's stream. Others have no place for one: there are many. */
export class ScriptedSession extends Session {
  readonly #script: Script;

  constructor(script: Script, ...rest: ConstructorParameters<typeof Session>) {
    super(...rest);
    this.#script = script;
  }

  override get script(): Script {
    return this.#script;
  }
}
