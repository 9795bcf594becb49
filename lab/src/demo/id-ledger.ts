/** Compares what two services saw of numbered requests: the exact account, whatever the programs under test say. */
export interface IdLedger {
  readonly online: number;
  readonly target: number;
  /** At online and not at the target. */
  readonly lost: number;
  /** More often at the target than at online. */
  readonly twice: number;
}

/** `onlineIds` and `targetIds`: one octet for each id, how often it arrived. Only ids from `from` on count. */
export function compareIds(onlineIds: Uint8Array, targetIds: Uint8Array, from: number): IdLedger {
  const ledger = { online: 0, target: 0, lost: 0, twice: 0 };
  for (let id = from; id < onlineIds.length; id += 1) {
    const atOnline = onlineIds[id]!;
    const atTarget = targetIds[id] ?? 0;
    ledger.online += atOnline;
    ledger.target += atTarget;
    if (atTarget < atOnline) ledger.lost += atOnline - atTarget;
    else ledger.twice += atTarget - atOnline;
  }
  return ledger;
}
