import { parseArgs } from 'node:util';

type Responder = (argument: never) => unknown;

interface Question {
  readonly id: number;
  readonly question: string;
  readonly argument?: unknown;
}

/** The program's end of `LabProcess.ask`: settings from the command line, answers over the IPC channel. */
export class ProgramControl {
  readonly #responders = new Map<string, Responder>();
  readonly #settings: Readonly<Record<string, string | boolean | undefined>>;

  /** `names`: the settings that the program knows; another one ends it with an error. */
  constructor(names: readonly string[]) {
    const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
    this.#settings = parseArgs({ options, strict: true }).values;
    process.on('message', (question: Question) => void this.#answer(question));
    // The lab is gone: so is this program.
    process.once('disconnect', () => process.exit(0));
    process.once('SIGTERM', () => process.exit(0));
    process.once('SIGINT', () => process.exit(0));
  }

  text(name: string, fallback: string): string {
    const value = this.#settings[name];
    return typeof value === 'string' ? value : fallback;
  }

  number(name: string, fallback: number): number {
    const value = Number(this.text(name, String(fallback)));
    if (!Number.isFinite(value)) throw new RangeError(`--${name} is not a number: ${this.text(name, '')}`);
    return value;
  }

  /** lab --question--> program: what it returns, or what its promise resolves to, is the answer. */
  on<T>(question: string, respond: (argument: T) => unknown): void {
    this.#responders.set(question, respond as Responder);
  }

  ready(facts: Readonly<Record<string, unknown>> = {}): void {
    process.send?.({ ready: facts });
  }

  async #answer({ id, question, argument }: Question): Promise<void> {
    try {
      const respond = this.#responders.get(question);
      if (respond === undefined) throw new Error(`unknown question ${question}`);
      process.send?.({ id, answer: (await respond(argument as never)) ?? null });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }
}
