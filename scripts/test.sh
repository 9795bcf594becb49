#!/usr/bin/env bash
# Everything that CI runs: set-up, build, lint, and every test. Needs root. Fails on the first of: a failed step, a failed
# test, a skipped test. Names of parts as arguments run only those (unit asan e2e load faults): `scripts/test.sh unit`.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/kernel.sh
require_root test
require_nfqueue test
parts=("$@")
[ $# -gt 0 ] || parts=(unit asan e2e load faults)
. scripts/report.sh
begin_report test 8

step setup scripts/setup.sh
. scripts/env.sh
step build scripts/build.sh
step lint scripts/lint.sh

# tests_in DIRECTORY...: the compiled files of the test sources there; a compiled file without a source is not run.
tests_in() {
  find "$@" -name '*.test.ts' -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null | sort |
    sed -E 's#^\./##; s#^([^/]+)/(.*)\.ts$#\1/dist/\2.js#'
}

failed=0
# suite NAME CONCURRENCY TIMEOUT_MS FILE...: runs test files with node:test, and adds its row to the summary.
suite() {
  local name=$1 concurrency=$2 timeout=$3 begin=$SECONDS state=ok
  shift 3
  echo "test: $name ($# files)"
  node --test --test-concurrency="$concurrency" --test-timeout="$timeout" \
    --test-reporter=spec --test-reporter-destination="$reports/$name.log" \
    --test-reporter=dot --test-reporter-destination=stdout "$@" || state=FAILED
  echo
  report_suite "$name" "$state" "$begin"
  [ "$state" = ok ] || failed=1
}

# Interrupted or not: nothing of a lab stays.
trap 'node lab/dist/src/programs/reap.js 2>/dev/null || true' EXIT

for part in "${parts[@]}"; do
  case $part in
    asan) step asan native/test/run-asan.sh ;;
    unit) mapfile -t files < <(tests_in . | grep -vE '^(lab/dist/test/e2e|e2e|charts)/'); suite unit 2 120000 "${files[@]}" ;;
    e2e) mapfile -t files < <(tests_in lab/test/e2e | grep -vE '/(load|faults)/'); suite e2e 2 180000 "${files[@]}" ;;
    load) mapfile -t files < <(tests_in lab/test/e2e/load); suite load 1 300000 "${files[@]}" ;;
    faults) mapfile -t files < <(tests_in lab/test/e2e/faults); suite faults 1 300000 "${files[@]}" ;;
    *) echo "test: no part «$part»: unit, asan, e2e, load, faults" >&2; exit 2 ;;
  esac
done

end_report $failed
exit $failed
