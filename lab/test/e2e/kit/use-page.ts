/**
 * Runs the commands of a page of docs/uses as they stand there: each fenced block `sh HOST` in the shell of that host, to its end; `sh HOST stays`
 * in a terminal of its own. Comments say what a reader does between them: `ctrl-c WORD` ends the program whose command has the word, `wait WORD` waits for
 * its end.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, type Lab, type LabHost, type LabProcess, TRAFFIC_COPY } from '../../../src/index.js';

const DIRECTORY = fileURLToPath(new URL('../../../../../docs/uses/', import.meta.url));
const STEPS = /^```sh(?<words>[^\n]*)\n(?<script>.*?)^```$|^<!-- (?<action>ctrl-c|wait) (?<word>\S+) -->$/gms;
/** What programs that stay say when they are ready. Load generators say nothing: who waits for them, the page says. */
const READY = /intercept serves|copying|listening on/;
const TIMEOUT_MS = 60_000;

/** What a page did: the output of each block that has ended, and where its files are. */
export interface UseRun {
  readonly outputs: readonly string[];
  file(host: LabHost, name: string): string;
}

interface Staying {
  readonly command: string;
  readonly process: LabProcess;
}

/** The pages that there are. */
export function readPage(name: string): string {
  return readFileSync(join(DIRECTORY, name), 'utf8');
}

export class UsePage {
  readonly #lab: Lab;
  readonly #staying: Staying[] = [];
  readonly #outputs: string[] = [];
  #token = '';

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Runs all of it. Programs that stay and were not ended run until the lab closes. */
  async run(name: string): Promise<UseRun> {
    for (const { groups } of readPage(name).matchAll(STEPS)) {
      const { words = '', script = '', action, word = '' } = groups ?? {};
      if (action !== undefined) await this.#end(action, word);
      else await this.#block(words.trim().split(' '), script);
    }
    return { outputs: this.#outputs, file: (host, file) => join(placeOf(host), file) };
  }

  async #block([hostName = '', manner]: readonly string[], script: string): Promise<void> {
    const host = this.#lab.host(hostName);
    assert.ok(manner === undefined || manner === 'stays', `"${manner}" is no manner of a block`);
    const env = {
      PATH: `${dirname(TRAFFIC_COPY)}${delimiter}${process.env['PATH']}`,
      ...(this.#token === '' || hostName === 'target' ? {} : { TRAFFICCOPY_JOIN_TOKEN: this.#token }),
    };
    const options = { cwd: placeOf(host), env };
    if (manner === undefined) {
      const output = await host.expect('unshare', shell(host, script), { ...options, timeoutMs: TIMEOUT_MS });
      this.#outputs.push(output);
      return;
    }
    const started = await host.start(script.split(' ', 2).join(' '), 'unshare', shell(host, `exec ${script}`), options);
    this.#staying.push({ command: script, process: started });
    if (host !== this.#lab.client) await started.waitForLine(READY, TIMEOUT_MS);
    if (!script.startsWith('trafficcopy intercept')) return;
    const [line] = await started.waitForLine(/--join \S+/);
    this.#token = /--join (\S+)/.exec(line)![1]!;
  }

  async #end(action: string, word: string): Promise<void> {
    const index = this.#staying.findIndex(({ command }) => command.split(/\s+/).includes(word));
    assert.ok(index >= 0, `${word} does not run`);
    const [{ process }] = this.#staying.splice(index, 1) as [Staying];
    if (word === 'tcpdump') await hasWritten(process);
    if (action === 'ctrl-c') await process.stop('SIGINT', TIMEOUT_MS);
    await process.expectEnd(TIMEOUT_MS, [0]);
    this.#outputs.push(process.lines.join('\n'));
  }
}

/** Waits until tcpdump has read and written what came: a reader is slower than that with Ctrl-C, and it throws the rest away. */
async function hasWritten(tcpdump: LabProcess): Promise<void> {
  await eventually('tcpdump has written all that came', TIMEOUT_MS, () => {
    tcpdump.signal('SIGUSR1');
    const counts = /(?<captured>\d+) packets captured, (?<received>\d+) packets received/.exec(tcpdump.tail(1))?.groups;
    return Promise.resolve(counts !== undefined && counts['captured'] === counts['received']);
  });
}

/** Where a host's commands run. */
function placeOf(host: LabHost): string {
  const place = join(host.directory, 'home');
  mkdirSync(place, { recursive: true });
  return place;
}

/** A shell that stops at the first failure, and whose /var/lib is the host's own: all hosts of a lab have one file system. */
function shell(host: LabHost, script: string): string[] {
  const state = join(host.directory, 'var-lib');
  mkdirSync(state, { recursive: true });
  return ['--mount', 'bash', '-euo', 'pipefail', '-c', `mount --bind ${state} /var/lib\n${script}`];
}
