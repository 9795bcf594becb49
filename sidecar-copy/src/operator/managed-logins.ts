import { readLoginText } from '../logins/login-file.js';
import type { PortLogins } from '../logins/port-logins.js';

const PLACE = 'credentials';

/** Who logs in at the targets, as an operator says it. */
export class ManagedLogins {
  #text: string | undefined;
  #logins: readonly PortLogins[] | undefined = [];
  #problem: string | undefined;

  /** The logins in force: the last ones that could be read; undefined when there are to be some, and none could. */
  get logins(): readonly PortLogins[] | undefined {
    return this.#logins;
  }

  /** For people; shows nothing of the text. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** operator --credentials--> copy. Returns whether they are others than before. */
  follow(text: string | undefined): boolean {
    if (text === this.#text) return false;
    const wasThere = this.#text !== undefined;
    this.#text = text;
    this.#problem = undefined;
    if (text === undefined) {
      this.#logins = [];
      return true;
    }
    try {
      this.#logins = readLoginText(text, PLACE);
    } catch (error) {
      if (!wasThere) this.#logins = undefined;
      this.#problem = problemText((error as Error).message, this.#logins !== undefined);
    }
    return true;
  }
}

/** The line is all that is taken of the message: the rest may hold a password that stands where a key belongs. */
function problemText(message: string, hasOthers: boolean): string {
  const line = /^credentials:([0-9]+):/.exec(message)?.[1];
  const where = line === undefined ? '' : ` (line ${line})`;
  const effect = hasOthers ? 'those before stay in force' : 'nothing is copied';
  return `the credentials of spec.credentialsSecret cannot be read${where}: ${effect}; trafficcopy copy --credentials FILE --check says what is wrong`;
}
