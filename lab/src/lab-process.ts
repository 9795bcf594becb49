import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { LabError } from './lab-error.js';
import { type ProcessCpu, readProcessCpu } from './process-cpu.js';

const TAIL_LINES_MAX = 20_000;
const STOP_TIMEOUT_MS = 15_000;
const OUTPUT_GRACE_MS = 2_000;

export interface ProcessOptions {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** Also copy every line to this process's standard error. */
  readonly isEchoed?: boolean | undefined;
  /** Open an IPC channel: the command is a Node.js program that speaks `ProgramControl`. */
  readonly withControl?: boolean | undefined;
}

export interface ProcessEnd {
  readonly status: number | undefined;
  readonly signal: string | undefined;
}

interface Answer {
  readonly id?: number;
  readonly ready?: unknown;
  readonly answer?: unknown;
  readonly error?: string;
}

/** One child of a lab: its pid, its lines, its end. A lab stops those that are still running when it closes. */
export class LabProcess {
  readonly name: string;
  readonly pid: number;
  /** Lines of both outputs as they came, the newest `TAIL_LINES_MAX`. */
  readonly lines: string[] = [];
  readonly stdoutLines: string[] = [];
  readonly stderrLines: string[] = [];
  /** Resolves when the process has ended and its outputs are read to their ends. Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  #end: ProcessEnd | undefined;
  #cpu: ProcessCpu = { userMs: 0, systemMs: 0 };
  #questions = 0;
  readonly #child: ChildProcess;
  readonly #events = new EventEmitter();
  readonly #answers = new Map<number, (answer: Answer) => void>();
  #ready: unknown;

  private constructor(name: string, child: ChildProcess, isEchoed: boolean) {
    this.name = name;
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.#events.setMaxListeners(0);
    for (const [stream, lines] of [
      [child.stdout, this.stdoutLines],
      [child.stderr, this.stderrLines],
    ] as const) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        if (this.lines.push(line) > TAIL_LINES_MAX) this.lines.shift();
        if (lines.push(line) > TAIL_LINES_MAX) lines.shift();
        if (isEchoed) process.stderr.write(`[${name}] ${line}\n`);
        this.#events.emit('line', line);
      });
    }
    child.on('message', (message: Answer) => this.#onMessage(message));
    // A grandchild that keeps the outputs open must not keep the lab waiting.
    child.once('exit', () => {
      setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, OUTPUT_GRACE_MS).unref();
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (status, signal) => {
        this.#end = { status: status ?? undefined, signal: signal ?? undefined };
        this.#events.emit('end');
        for (const answer of this.#answers.values()) answer({ error: 'the program has ended' });
        resolve(this.#end);
      });
    });
  }

  /** Starts a command. Rejects when it cannot be run at all. */
  static async start(
    name: string,
    command: string,
    args: readonly string[],
    options: ProcessOptions = {},
  ): Promise<LabProcess> {
    const child = spawn(command, args, {
      stdio: options.withControl === true ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: options.env === undefined ? process.env : { ...process.env, ...options.env },
    });
    const started = new LabProcess(name, child, options.isEchoed ?? false);
    try {
      await once(child, 'spawn');
    } catch (error) {
      throw new LabError('ERR_LAB_PROCESS', `cannot start ${name} (${command}): ${(error as Error).message}`, {
        cause: error,
      });
    }
    child.on('error', () => {});
    return started;
  }

  /** Undefined while it runs. */
  get end(): ProcessEnd | undefined {
    return this.#end;
  }

  get isRunning(): boolean {
    return this.#end === undefined;
  }

  /** User and system time so far, or at the last time it was asked for when the process is gone since. */
  cpu(): ProcessCpu {
    if (this.isRunning) this.#cpu = readProcessCpu(this.pid) ?? this.#cpu;
    return this.#cpu;
  }

  /** Sum of `cpu()`. */
  cpuMs(): number {
    const { userMs, systemMs } = this.cpu();
    return userMs + systemMs;
  }

  /** The first line so far, or the next one, that fits. Throws when the process ends or the deadline passes before. */
  async waitForLine(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    const find = (): RegExpExecArray | undefined => {
      for (const line of this.lines) {
        const match = pattern.exec(line);
        if (match !== null) return match;
      }
      return undefined;
    };
    return this.#waitUntil(`no line like ${pattern}`, timeoutMs, find);
  }

  /** What the program said when it was ready (`ProgramControl.ready`). */
  async ready<T>(timeoutMs = 20_000): Promise<T> {
    return this.#waitUntil('not ready', timeoutMs, () => this.#ready as T | undefined);
  }

  /** Asks a program that was started with a control channel; throws what it answers as its error. */
  async ask<T>(question: string, argument?: unknown, timeoutMs = 60_000): Promise<T> {
    this.#questions += 1;
    const id = this.#questions;
    if (!this.isRunning) throw this.#failure(`asked «${question}» after its end`);
    const answer = await new Promise<Answer>((resolve) => {
      const timer = setTimeout(() => resolve({ error: `no answer within ${timeoutMs} ms` }), timeoutMs);
      this.#answers.set(id, (given) => {
        clearTimeout(timer);
        resolve(given);
      });
      this.#child.send({ id, question, argument }, undefined as unknown as SendHandle, (error) => {
        if (error !== null) this.#answers.get(id)?.({ error: error.message });
      });
    });
    this.#answers.delete(id);
    if (answer.error !== undefined) throw this.#failure(`«${question}»: ${answer.error}`);
    return answer.answer as T;
  }

  /** Sends a signal and returns at once. */
  signal(signal: NodeJS.Signals): void {
    this.cpu();
    if (this.isRunning) this.#child.kill(signal);
  }

  /** Ends the process and waits for it: first `signal`, and SIGKILL when it does not go. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', timeoutMs = STOP_TIMEOUT_MS): Promise<ProcessEnd> {
    this.signal(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }

  /** Waits for the end that the process finds itself. Throws at the deadline, or when the status is not among `statuses`. */
  async expectEnd(timeoutMs: number, statuses: readonly number[] = [0]): Promise<ProcessEnd> {
    const end = await this.#waitUntil('still running', timeoutMs, () => this.#end);
    if (!statuses.includes(end.status ?? -1)) throw this.#failure('ended in another way than expected');
    return end;
  }

  /** The last lines, for messages. */
  tail(count = 20): string {
    return this.lines.slice(-count).join('\n');
  }

  async #waitUntil<T>(complaint: string, timeoutMs: number, find: () => T | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        for (const event of ['line', 'ready', 'end']) this.#events.off(event, look);
        settle();
      };
      const look = (): void => {
        const found = find();
        if (found !== undefined) finish(() => resolve(found));
        else if (this.#end !== undefined) finish(() => reject(this.#failure(complaint)));
      };
      const timer = setTimeout(
        () => finish(() => reject(this.#failure(`${complaint} within ${timeoutMs} ms`, 'ERR_LAB_DEADLINE'))),
        timeoutMs,
      );
      for (const event of ['line', 'ready', 'end']) this.#events.on(event, look);
      look();
    });
  }

  #onMessage(message: Answer): void {
    if (message.id === undefined) {
      this.#ready = message.ready ?? {};
      this.#events.emit('ready');
      return;
    }
    this.#answers.get(message.id)?.(message);
  }

  #failure(complaint: string, code: 'ERR_LAB_PROCESS' | 'ERR_LAB_DEADLINE' = 'ERR_LAB_PROCESS'): LabError {
    const end = this.#end;
    const state = end === undefined ? 'running' : `ended with ${end.signal ?? `status ${end.status}`}`;
    return new LabError(
      code,
      `${this.name} (pid ${this.pid}, ${state}): ${complaint}; its last lines:\n${this.tail()}`,
    );
  }
}
