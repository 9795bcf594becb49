import type { JournalContent } from './journal.js';
import type { NamespaceSurvey } from './namespace-survey.js';
import { RulesError } from './rules-error.js';
import { SLOTS_MAX, type WorkerSlot, workerSlot } from './worker-slot.js';

export interface SlotChoice {
  readonly instance: string;
  readonly queueNumber: number | undefined;
  readonly survey: NamespaceSurvey;
  readonly journal: JournalContent | undefined;
  /** Opens what the slot needs; false when its queue is read by somebody else. */
  readonly open: (slot: WorkerSlot) => boolean | Promise<boolean>;
}

/**
 * Finds a slot whose mark and queue nobody uses, and opens it. Our dead predecessor's comes first: sockets that it left keep their
 * mark, and stay caught.
 *
 * @throws RulesError ERR_RULES_CONFLICT when there is none.
 */
export async function chooseSlot(choice: SlotChoice): Promise<WorkerSlot> {
  const { queueNumber, survey } = choice;
  const tables = [...survey.tables.values()];
  if (queueNumber !== undefined && tables.some((table) => table.foreignQueues.has(queueNumber))) {
    throw new RulesError(
      'ERR_RULES_CONFLICT',
      `a rule of somebody else already sends packets to NFQUEUE ${queueNumber}: choose another --queue-num`,
    );
  }
  for (const index of candidates(choice)) {
    const slot = workerSlot(index, queueNumber);
    const isTaken = tables.some(
      (table) =>
        table.foreignQueues.has(slot.queueNumber) ||
        table.foreignMarks.has(slot.mark) ||
        table.foreignMarks.has(slot.injectionMark),
    );
    if (isTaken) continue;
    if (await choice.open(slot)) return slot;
    if (queueNumber !== undefined) {
      throw new RulesError(
        'ERR_RULES_CONFLICT',
        `another program reads NFQUEUE ${queueNumber}: stop it or choose another --queue-num`,
      );
    }
  }
  throw new RulesError(
    'ERR_RULES_CONFLICT',
    `no NFQUEUE from ${workerSlot(0).queueNumber} to ${workerSlot(SLOTS_MAX - 1).queueNumber} is free in this network namespace: at most ${SLOTS_MAX} intercepts fit`,
  );
}

/** Our own predecessor's slot first, those of other dead instances last, none of living ones. */
function candidates({ instance, journal, survey }: SlotChoice): number[] {
  const entries = Object.entries(journal?.instances ?? {});
  const isAlive = (queueNumber: number): boolean => survey.boundQueues.has(queueNumber);
  const living = new Set(entries.filter(([, { queueNumber }]) => isAlive(queueNumber)).map(([, e]) => e.slotIndex));
  const own = entries.filter(([name]) => name === instance).map(([, entry]) => entry.slotIndex);
  const all = Array.from({ length: SLOTS_MAX }, (_, index) => index);
  const dead = new Set(entries.filter(([, { queueNumber }]) => !isAlive(queueNumber)).map(([, e]) => e.slotIndex));
  const rest = all.filter((index) => !dead.has(index));
  // A dead stranger's slot comes last: its rules stay for the sockets that it left.
  return [...new Set([...own, ...rest, ...dead])].filter((index) => !living.has(index));
}
