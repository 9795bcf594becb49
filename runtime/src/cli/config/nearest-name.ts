import { Command, CommanderError, Option } from 'commander';

/** "unknown key (Did you mean sample?)". The search is commander's, so that keys are found as flags are. */
export function unknownNameText(what: string, name: string, names: readonly string[]): string {
  const nearest = nearestName(name, names);
  return nearest === undefined ? what : `${what} (Did you mean ${nearest}?)`;
}

function nearestName(name: string, names: readonly string[]): string | undefined {
  // As flags may be called; others have no near one.
  if (!/^[A-Za-z][\w.-]*$/.test(name)) return undefined;
  const command = new Command()
    .exitOverride()
    .helpOption(false)
    .configureOutput({ writeErr: () => {} });
  for (const one of new Set(names)) command.addOption(new Option(`--${one}`));
  try {
    command.parse([`--${name}`], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const [, suggestion] = error.message.split('\n');
    return nearNames(name, suggestion)[0]?.slice('--'.length);
  }
  return undefined;
}

/** What a user may have meant: those names of commander's suggestion that differ from `word` in a third of their letters at most. */
export function nearNames(word: string, suggestion: string | undefined): string[] {
  const names = /^\(Did you mean (?:one of )?(.*)\?\)$/.exec(suggestion ?? '')?.[1]?.split(', ') ?? [];
  const bare = (name: string): string => name.replace(/^-+/, '');
  return names.filter((name) => {
    const [one, other] = [bare(word), bare(name)];
    return distance(one, other) * 3 <= Math.max(one.length, other.length);
  });
}

/** Letters to change, add, leave out or swap with the next one, to make `to` of `from` (optimal string alignment). */
function distance(from: string, to: string): number {
  let [beforeLast, last]: [number[], number[]] = [[], Array.from({ length: to.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const isSame = from[i - 1] === to[j - 1];
      let best = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        best = Math.min(best, beforeLast[j - 2]! + 1);
      }
      row.push(best);
    }
    [beforeLast, last] = [last, row];
  }
  return last[to.length]!;
}
