import type { Logger } from 'pino';

/** Something that a whole program or host has to say, though each of its workers notices it. */
export interface SharedNotice {
  /** What it is about: the same from every worker, also where the words differ. */
  readonly key: string;
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
}

export type TellShared = (notice: SharedNotice) => void;

/** For who has no other workers beside it. */
export function sharedTo(logger: Logger): TellShared {
  return ({ level, message }) => logger[level](message);
}

/** Notices of workers, each told by one of them only: by the one that was first, as often as that says it, until it dies. */
export class SharedNotices {
  readonly #tell: TellShared;
  readonly #tellers = new Map<string, number>();

  constructor(tell: TellShared) {
    this.#tell = tell;
  }

  add(worker: number, notice: SharedNotice): void {
    const teller = this.#tellers.get(notice.key);
    if (teller !== undefined && teller !== worker) return;
    this.#tellers.set(notice.key, worker);
    this.#tell(notice);
  }

  /** Another one tells it from now on. */
  workerDied(worker: number): void {
    for (const [key, teller] of this.#tellers) if (teller === worker) this.#tellers.delete(key);
  }
}
