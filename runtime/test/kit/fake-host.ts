import type { CommandAnswer, HostAccess } from '../../src/index.js';

/** A host of files and answers: by path, and by command line. An answer that is a text ends with status 0. */
export function fakeHost(
  files: Readonly<Record<string, string>>,
  answers: Readonly<Record<string, string | Partial<CommandAnswer>>> = {},
): HostAccess {
  return {
    read: (path) => files[path],
    run: (command, args) => {
      const answer = answers[[command, ...args].join(' ')];
      if (answer === undefined) return Promise.resolve(undefined);
      const given = typeof answer === 'string' ? { stdout: answer } : answer;
      return Promise.resolve({ status: 0, stdout: '', stderr: '', ...given });
    },
  };
}
