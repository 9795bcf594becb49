# Prints what zsh offers for each of the lines $2…, with the completion in the file $1: "<one><two>", a line for each.
# Completion needs zsh's line editor, and that needs a terminal: a pseudo terminal of zsh's own.
zmodload zsh/zpty
zpty shell zsh -f -i
init=$(mktemp)
print -r -- "
PROMPT= RPROMPT=
unset zle_bracketed_paste
autoload -Uz compinit && compinit -D -u
source ${(q)1}
compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd \"\$@\"; return; fi
  local -a found
  builtin compadd -O found \"\$@\"
  (( \$#found )) && offered+=(\$found)
  builtin compadd \"\$@\"
}
report() {
  offered=()
  zle complete-word
  print -r -- \"[offered]<\${(j:><:)offered}>[end]\"
  BUFFER=
}
zle -N report
bindkey '^I' report
print -r -- '[rea''dy]'
" >$init
zpty -w shell "source $init"
zpty -r shell piece '*\[ready\]*'
for line in "${@[2,-1]}"; do
  zpty -w -n shell "$line"$'\t'
  zpty -r shell piece '*\[end\]*'
  print -r -- ${${piece##*\[offered\]}%\[end\]*}
done
rm -f $init
zpty -d shell
