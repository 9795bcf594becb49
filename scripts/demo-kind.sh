#!/usr/bin/env bash
# The demo on a cluster: KUBECONFIG's, or one of kind's that is made for it and deleted afterwards (E2E_KEEP=1 keeps it).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/kernel.sh
. e2e/cluster/env.sh
[ -n "$CLUSTER_GIVEN" ] || require_root demo-kind
log=$PWD/tmp/demo-kind.log
mkdir -p tmp
: >"$log"

# quietly WHAT COMMAND...: shows its output only when it fails.
quietly() {
  echo "demo-kind: $1"
  shift
  "$@" >>"$log" 2>&1 || { tail -50 "$log" >&2; echo "demo-kind: see $log" >&2; exit 1; }
}

is_ours=
# shellcheck disable=SC2317 # called by trap
finish() {
  local status=$?
  trap '' INT TERM
  trap - EXIT
  if [ -n "$is_ours" ]; then
    if [ "${E2E_KEEP:-}" = 1 ]; then touch "$cluster_kept"; else quietly 'deleting the cluster' e2e/cluster/teardown.sh; fi
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

quietly 'installing what is missing' scripts/setup.sh --run
. scripts/env.sh
quietly 'building' scripts/build.sh
if [ -z "$CLUSTER_GIVEN" ]; then
  quietly 'preparing the cluster (14 minutes the first time where images cannot be pulled)' e2e/cluster/prepare.sh
  . e2e/cluster/env.sh
  if ! cluster_is_kept; then
    is_ours=yes
    quietly 'creating the cluster' bash -c 'e2e/cluster/teardown.sh && e2e/cluster/create.sh'
  fi
fi
quietly 'building and loading images' e2e/cluster/build-images.sh
quietly 'building and loading the shop' e2e/image/build.sh
node e2e/dist/src/demo/main.js
