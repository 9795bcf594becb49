# Sourced by test.sh and e2e.sh: steps and suites, each with a log of its own and a row in the closing table.
# shellcheck shell=bash

# begin_report NAME COLUMNS: what the script is called in messages, and how wide the names of its rows are. Logs go to tmp/NAME.
begin_report() {
  report_name=$1 report_columns=$2 report_started=$SECONDS
  reports=$PWD/tmp/$report_name
  report_rows=() report_passed=0 report_failed=0 report_skipped=0 report_why=
  mkdir -p "$reports"
  rm -f "$reports"/*.log
}

# report_row NAME STATE SECONDS [TEXT]
report_row() {
  report_rows+=("$(printf "%-${report_columns}s %-6s %5ds   %s" "$1" "$2" "$3" "${4:-}")")
}

# step NAME COMMAND...: runs it quietly; shows its output only when it fails, and ends the script then.
step() {
  local name=$1 begin=$SECONDS log=$reports/$1.log
  shift
  echo "$report_name: $name"
  if ! "$@" >"$log" 2>&1; then
    cat "$log"
    echo "$report_name: $name failed" >&2
    exit 1
  fi
  report_row "$name" ok $((SECONDS - begin))
}

# count WHAT LOG: a closing figure of node's test runner (pass, fail, skipped, cancelled, todo).
count() { sed -nE "s/^ℹ $1 ([0-9]+)$/\1/p" "$2" | tail -1 | grep . || echo 0; }

# report_suite NAME STATE BEGIN: the row of a suite whose log is there. Sets `state`: no test, or a skipped one, is a failure.
report_suite() {
  local log=$reports/$1.log pass fail skipped
  state=$2
  pass=$(count pass "$log") fail=$(count fail "$log")
  skipped=$(($(count skipped "$log") + $(count cancelled "$log") + $(count todo "$log")))
  report_passed=$((report_passed + pass)) report_failed=$((report_failed + fail)) report_skipped=$((report_skipped + skipped))
  [ "$pass" -gt 0 ] && [ "$fail" -eq 0 ] && [ "$skipped" -eq 0 ] || state=FAILED
  if [ "$state" = FAILED ]; then
    sed -n '/^✖ failing tests/,$p' "$log"
    report_why+=$(sed -n '/^✖ failing tests/,$p' "$log" | grep -A 3 '^✖' | grep -vE '^(--|✖ failing tests:|)$' | cut -c 1-400 | head -n 20)$'\n'
    grep -E '^ *﹣|# (SKIP|TODO)' "$log" || true
  fi
  report_row "$1" "$state" $((SECONDS - $3)) "$(printf '%4d passed, %d failed, %d skipped' "$pass" "$fail" "$skipped")"
}

# end_report FAILED: the table, and the first words of what went wrong, so that they stand at the end of a long log.
end_report() {
  echo
  printf '  %s\n' "${report_rows[@]}"
  printf "  %-${report_columns}s %-6s %5ds   (reports in %s)\n" all "$([ "$1" -eq 0 ] && echo ok || echo FAILED)" $((SECONDS - report_started)) "tmp/$report_name"
  [ -z "$report_why" ] || printf '%s' "$report_why"
  printf '%s: %d passed, %d failed, %d skipped\n' "$report_name" "$report_passed" "$report_failed" "$report_skipped"
}
