import type { CopyConfig } from '../config.js';
import type { CopyFigures } from '../copy-figures.js';

/** A copy that has captured nothing for so long may look in the wrong place. */
const SILENCE_MS = 30_000;

type Looked = Pick<CopyConfig, 'mappings' | 'udp' | 'filter' | 'interfaces'>;

/** Tells once when a live capture has had no packet at all since it began, though there is a way to a target. */
export class SilenceNotice {
  private readonly config: Looked;
  private isDecided = false;

  constructor(config: Looked) {
    this.config = config;
  }

  /** Call it every second or so; `read` is not called any more once it is known. Returns what to say. */
  check(read: () => Pick<CopyFigures, 'elapsedMs' | 'sources' | 'lanes'>): string | undefined {
    if (this.isDecided) return undefined;
    const { elapsedMs, sources, lanes } = read();
    if (sources.some(({ packets }) => packets > 0)) {
      this.isDecided = true;
      return undefined;
    }
    if (elapsedMs < SILENCE_MS || !lanes.some(({ isUp }) => isUp)) return undefined;
    this.isDecided = true;
    return silenceText(this.config);
  }
}

function silenceText({ mappings, udp, filter, interfaces }: Looked): string {
  const ports = [...new Set(mappings.map(({ onlinePort }) => onlinePort))];
  const questions = [
    'is there traffic',
    'is it for an address of this host',
    udp ? 'is it TCP (leave out --udp)' : 'is it UDP (--udp)',
    ...(interfaces.length === 0 ? [] : [`does it come by ${interfaces.join(' or ')} (-i)`]),
    ...(filter === undefined ? [] : ['does -F leave it out']),
  ];
  return `nothing has arrived at port ${ports.join(', ')} yet: ${questions.join(', ')}?`;
}
