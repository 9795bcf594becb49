import { allOutlines, type CommandOutline, type FlagOutline } from '../command-outline.js';

/** A completion script for bash 4.4 or newer. It needs nothing of the package bash-completion. */
export function bashCompletion(root: CommandOutline): string {
  const outlines = allOutlines(root);
  return `# bash completion of trafficcopy; made by "trafficcopy completion bash".
_trafficcopy() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command='' words='' index
  COMPREPLY=()
  # "--flag=value" comes as three words.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$command \${COMP_WORDS[index]}" in
${cases(outlines.slice(1).map(({ path }) => pathWithWord(path)))}) ;;
      *) break ;;
    esac
    command="\${command:+$command }\${COMP_WORDS[index]}"
  done
  case "$command $previous" in
${outlines.flatMap(valueCases).join('\n')}
    *)
      case $command in
${outlines.map((outline) => `        ${quoted(outline.path)}) words=${quoted(wordsOf(outline).join(' '))} ;;`).join('\n')}
      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _trafficcopy trafficcopy
`;
}

/** What "$command $word" is where the last word of \`path\` has just been read. */
function pathWithWord(path: string): string {
  return path.includes(' ') ? path : ` ${path}`;
}

function valueCases({ path, flags }: CommandOutline): string[] {
  const withValue = flags.filter(({ argument }) => argument !== undefined);
  const lines: string[] = [];
  for (const flag of withValue) {
    if (flag.completes === undefined || flag.completes === 'files') continue;
    lines.push(`${patterns(path, [flag])}) words=${quoted(flag.completes.join(' '))} ;;`);
  }
  const optional = withValue.filter(({ completes, mayBeBare }) => completes === 'files' && mayBeBare);
  if (optional.length > 0) {
    // Without a file another flag may follow: then the last pattern says what is offered.
    lines.push(`${patterns(path, optional)})
      if [[ $current != -* ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
      fi
      ;;&`);
  }
  const files = withValue.filter(({ completes, mayBeBare }) => completes === 'files' && !mayBeBare);
  if (files.length > 0) {
    lines.push(`${patterns(path, files)})
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;`);
  }
  const others = withValue.filter(({ completes }) => completes === undefined);
  if (others.length > 0) lines.push(`${patterns(path, others)}) return ;;`);
  return lines;
}

function patterns(path: string, flags: readonly FlagOutline[]): string {
  return cases(
    flags.flatMap((flag) => namesOf(flag).map((name) => `${path} ${name}`)),
    '    ',
  );
}

function cases(texts: readonly string[], indent = '      '): string {
  return `${indent}${texts.map(quoted).join(' | ')}`;
}

function wordsOf({ children, words, flags, path }: CommandOutline): string[] {
  const names = children.map((child) => child.path.slice(path.length).trim());
  return [...names, ...words, ...flags.flatMap(namesOf)];
}

function namesOf({ short, long }: FlagOutline): string[] {
  return short === undefined ? [`--${long}`] : [`-${short}`, `--${long}`];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
