import { createEngineCounters } from '@trafficcopy/core';
import type { CopyFigures, LaneFigures, SourceFigures } from '../copy-figures.js';

/** What the workers of a copy have done together, without what belongs to the program as a whole. */
export type WorkerTotals = Pick<
  CopyFigures,
  | 'engine'
  | 'sessionsOpen'
  | 'budget'
  | 'ramp'
  | 'lagMs'
  | 'sources'
  | 'lanes'
  | 'cpuUserUs'
  | 'cpuSystemUs'
  | 'rssBytes'
>;

/** The sums of the figures of workers; what there is one of for each (a device, a channel) counts as its worst. */
export function copyTotals(all: readonly WorkerTotals[]): WorkerTotals {
  return {
    engine: all.map(({ engine }) => engine).reduce(sumOfRecords, createEngineCounters()),
    sessionsOpen: sum(all.map(({ sessionsOpen }) => sessionsOpen)),
    budget: {
      share: Math.min(1, ...all.map(({ budget }) => budget.share)),
      sessionsShed: sum(all.map(({ budget }) => budget.sessionsShed)),
    },
    ramp: Math.min(1, ...all.map(({ ramp }) => ramp)),
    lagMs: Math.max(0, ...all.map(({ lagMs }) => lagMs)),
    sources: byName(
      all.flatMap(({ sources }) => sources),
      sumOfSources,
    ),
    lanes: byName(
      all.flatMap(({ lanes }) => lanes),
      sumOfLanes,
    ),
    cpuUserUs: sum(all.map(({ cpuUserUs }) => cpuUserUs)),
    cpuSystemUs: sum(all.map(({ cpuSystemUs }) => cpuSystemUs)),
    rssBytes: sum(all.map(({ rssBytes }) => rssBytes)),
  };
}

/** The last figures of a worker that died, as its ledger is closed: what was open is interrupted, and nothing of it is left. */
export function closedFigures(last: CopyFigures): WorkerTotals {
  const { engine, sessionsOpen } = last;
  const { turnsPending, turnsLost, terminal, datagrams } = engine;
  return {
    ...last,
    engine: {
      ...engine,
      turnsPending: 0,
      turnsLost: { ...turnsLost, interrupted: turnsLost.interrupted + turnsPending },
      terminal: { ...terminal, interrupted: terminal.interrupted + sessionsOpen },
      datagrams: {
        ...datagrams,
        pending: 0,
        lost: { ...datagrams.lost, interrupted: datagrams.lost.interrupted + datagrams.pending },
      },
    },
    sessionsOpen: 0,
    budget: { ...last.budget, share: 1 },
    ramp: 1,
    lagMs: 0,
    rssBytes: 0,
    // Its devices and channels are no worse for it: the worker that takes its place has them anew.
    sources: last.sources.map((source) => ({ ...source, interfaceState: 'up' })),
    lanes: last.lanes.map((lane) => ({ ...lane, isUp: true, isCongested: false, queuedBytes: 0 })),
  };
}

function sumOfSources(one: SourceFigures, other: SourceFigures): SourceFigures {
  return {
    name: one.name,
    packets: one.packets + other.packets,
    drops: one.drops + other.drops,
    freezes: one.freezes + other.freezes,
    interfaceState: one.interfaceState === 'up' ? other.interfaceState : one.interfaceState,
  };
}

function sumOfLanes(one: LaneFigures, other: LaneFigures): LaneFigures {
  return {
    name: one.name,
    isUp: one.isUp && other.isUp,
    isCongested: one.isCongested || other.isCongested,
    queuedBytes: one.queuedBytes + other.queuedBytes,
    framesDropped: one.framesDropped + other.framesDropped,
    counters: sumOfRecords(one.counters, other.counters),
    sink: sumOfRecords(one.sink, other.sink),
  };
}

function byName<T extends { readonly name: string }>(all: readonly T[], add: (one: T, other: T) => T): T[] {
  const sums = new Map<string, T>();
  for (const one of all) {
    const known = sums.get(one.name);
    sums.set(one.name, known === undefined ? one : add(known, one));
  }
  return [...sums.values()];
}

/** Of records with the same names: numbers, and records of numbers. */
function sumOfRecords<T extends object>(one: T, other: T): T {
  return Object.fromEntries(
    Object.entries(one).map(([name, value]) => {
      const added: unknown = other[name as keyof T];
      return [name, typeof value === 'number' ? value + (added as number) : sumOfRecords(value, added as object)];
    }),
  ) as T;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
