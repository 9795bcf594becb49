import { allOutlines, type CommandOutline, type FlagOutline } from '../command-outline.js';

/** A completion function for zsh, to be found by compinit as _trafficcopy, or read with "source". */
export function zshCompletion(root: CommandOutline): string {
  const outlines = allOutlines(root);
  const known = outlines.slice(1).map(({ path }) => quoted(path.includes(' ') ? path : ` ${path}`));
  return `#compdef trafficcopy
# zsh completion of trafficcopy; made by "trafficcopy completion zsh".
_trafficcopy() {
  local curcontext=$curcontext state line place=''
  local -a commands
  typeset -A opt_args
  while (( CURRENT > 2 )); do
    case "$place $words[2]" in
      ${known.join(' | ')})
        place="\${place:+$place }$words[2]"
        shift words
        (( CURRENT-- ))
        ;;
      *) break ;;
    esac
  done
  case $place in
${outlines.map(branch).join('\n')}
  esac
  [[ $state == command ]] && _describe command commands
}
if [[ $funcstack[1] == _trafficcopy ]]; then
  _trafficcopy "$@"
else
  compdef _trafficcopy trafficcopy
fi
`;
}

function branch({ path, flags, children, words }: CommandOutline): string {
  const commands = [...children.map((child) => `${child.path.slice(path.length).trim()}:${child.summary}`), ...words];
  const rest = commands.length > 0 ? [quoted('1: :->command')] : [];
  return `    ${quoted(path)})
      commands=(${commands.map(quoted).join(' ')})
      _arguments -s \\
        ${[...flags.map(flagSpecification), ...rest].join(' \\\n        ')}
      ;;`;
}

/** As _arguments reads it: '(-l --log-file)'{-l+,--log-file=}'[Append the log to FILE]:FILE:_files' */
function flagSpecification({ short, long, argument, mayBeBare, brief, completes, isRepeatable }: FlagOutline): string {
  const names = [...(short === undefined ? [] : [`-${short}`]), `--${long}`];
  const typed = argument === undefined ? names : names.map((name) => `${name}${name.startsWith('--') ? '=' : '+'}`);
  const prefix = isRepeatable ? quoted('*') : names.length > 1 ? quoted(`(${names.join(' ')})`) : '';
  const explained = `[${brief.replace(/[[\]\\]/g, '\\$&')}]`;
  const value =
    argument === undefined ? '' : `${mayBeBare ? '::' : ':'}${argument.replace(/[:\\]/g, '\\$&')}:${action(completes)}`;
  const name = typed.length > 1 ? `{${typed.join(',')}}` : typed[0]!;
  return `${prefix}${name}${quoted(`${explained}${value}`)}`;
}

function action(completes: FlagOutline['completes']): string {
  if (completes === undefined) return ' ';
  return completes === 'files' ? '_files' : `(${completes.join(' ')})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
