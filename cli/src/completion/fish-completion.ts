import { allOutlines, type CommandOutline, type FlagOutline } from '../command-outline.js';

/** A completion script for fish 3. */
export function fishCompletion(root: CommandOutline): string {
  const outlines = allOutlines(root);
  const known = outlines.slice(1).map(({ path }) => quoted(path.includes(' ') ? path : ` ${path}`));
  return `# fish completion of trafficcopy; made by "trafficcopy completion fish".
function __fish_trafficcopy_at --description 'Whether the cursor is behind this command of trafficcopy'
    set -l place ''
    for word in (commandline -opc)[2..-1]
        switch "$place $word"
            case ${known.join(' ')}
                set place (string trim -- "$place $word")
            case '*'
                break
        end
    end
    test "$place" = "$argv[1]"
end
complete -c trafficcopy -f
${outlines.flatMap(lines).join('\n')}
`;
}

function lines({ path, flags, children, words }: CommandOutline): string[] {
  const where = `complete -c trafficcopy -n ${quoted(`__fish_trafficcopy_at ${quoted(path)}`)}`;
  return [
    ...children.map((child) => `${where} -a ${child.path.slice(path.length).trim()} -d ${quoted(child.summary)}`),
    ...words.map((word) => `${where} -a ${quoted(word)}`),
    ...flags.map((flag) => `${where} ${flagWords(flag)} -d ${quoted(flag.brief)}`),
  ];
}

function flagWords({ short, long, argument, mayBeBare, completes }: FlagOutline): string {
  const names = short === undefined ? `-l ${long}` : `-s ${short} -l ${long}`;
  if (argument === undefined) return names;
  // fish knows a value that may be left out behind "=" only.
  if (mayBeBare) return completes === 'files' ? `${names} -F` : names;
  if (completes === undefined) return `${names} -x`;
  return completes === 'files' ? `${names} -r -F` : `${names} -x -a ${quoted(completes.join(' '))}`;
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
