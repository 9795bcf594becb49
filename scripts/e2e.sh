#!/usr/bin/env bash
# The tests on a real cluster: KUBECONFIG's, or one of kind's that is made for them and deleted afterwards (E2E_KEEP=1 keeps
# it). Builds and loads the images, then runs every file of e2e/test in turn. Fails on a failed or skipped test.
# Words as arguments run only the files whose names hold one of them: `scripts/e2e.sh 01 mesh`.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/kernel.sh
. e2e/cluster/env.sh
[ -n "$CLUSTER_GIVEN" ] || require_root e2e
. scripts/report.sh
begin_report e2e 24

is_ours=
# shellcheck disable=SC2317 # called by step and trap
# What a run that was killed left is replaced; what somebody made by hand is used and left.
cluster() {
  if ! cluster_is_kept; then
    e2e/cluster/teardown.sh
    e2e/cluster/create.sh
  else
    kubectl wait --for=condition=Ready node --all --timeout=120s
  fi
}
# shellcheck disable=SC2317 # called by trap
finish() {
  local status=$?
  trap - EXIT INT TERM
  if [ -n "$is_ours" ]; then
    if [ "${E2E_KEEP:-}" = 1 ]; then
      touch "$cluster_kept"
      echo "e2e: the cluster stays: . e2e/cluster/env.sh to use it, e2e/cluster/teardown.sh to delete it"
    else
      e2e/cluster/teardown.sh >"$reports/teardown.log" 2>&1 || true
    fi
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

step setup scripts/setup.sh
. scripts/env.sh
step build scripts/build.sh
if [ -z "$CLUSTER_GIVEN" ]; then
  step prepare e2e/cluster/prepare.sh
  . e2e/cluster/env.sh
  cluster_is_kept || is_ours=yes
  step cluster cluster
fi
step images e2e/cluster/build-images.sh
step test-image e2e/image/build.sh

files=()
while IFS= read -r file; do
  if [ $# -eq 0 ]; then files+=("$file"); continue; fi
  for word in "$@"; do
    case $file in *"$word"*) files+=("$file"); break ;; esac
  done
done < <(find e2e/test charts/test -name '*.test.ts' 2>/dev/null | sort)
[ ${#files[@]} -gt 0 ] || { echo "e2e: no test file is called like that" >&2; exit 2; }

failed=0
for file in "${files[@]}"; do
  name=$(basename "$file" .test.ts) begin=$SECONDS state=ok
  log=$reports/$name.log
  echo "e2e: $name"
  node --test --test-timeout=900000 --test-reporter=spec --test-reporter-destination="$log" \
    "$(sed -E 's#^(e2e|charts)/(.*)\.ts$#\1/dist/\2.js#' <<<"$file")" || state=FAILED
  grep -E '^ℹ [a-z]' "$log" | grep -vE '^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ' || true
  report_suite "$name" "$state" "$begin"
  if [ "$state" = FAILED ]; then
    failed=1
    e2e/cluster/state.sh >"$reports/$name-cluster.log" 2>&1 || true
    echo "e2e: what the cluster looked like then: $reports/$name-cluster.log"
  fi
done

end_report $failed
exit $failed
