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
    if (error instanceof CommanderError) return /Did you mean (?:one of )?--([\w.-]+)/.exec(error.message)?.[1];
    throw error;
  }
  return undefined;
}
