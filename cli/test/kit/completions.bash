# Prints what bash offers for each of the lines $2…, with the completion in the file $1: "<one><two>", a line for each.
# shellcheck shell=bash source=/dev/null
source "$1"
complete -p trafficcopy >/dev/null || exit
shift
for line; do
  # As readline does it: the words of the line, with "=" as a word, and the last one to be completed.
  line=${line//=/ = }
  IFS=' ' read -ra COMP_WORDS <<<"$line"
  [[ $line == *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  # Outside of readline "compopt" complains.
  _trafficcopy 2>/dev/null
  printf '<%s>' "${COMPREPLY[@]}"
  echo
done
