#!/usr/bin/env bash
# Copies full load in a lab for MINUTES (10) and fails when copy or intercept grows, or when a turn is lost: `scripts/soak.sh 60`.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/kernel.sh
require_root soak
require_nfqueue soak
scripts/setup.sh
scripts/build.sh
. scripts/env.sh
exec node bench/dist/src/soak.js "$@"
