#!/usr/bin/env bash
# The benchmark: writes docs/benchmarks.md. TCPCOPY_BIN and INTERCEPT_BIN name C programs to run side by side.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/kernel.sh
require_root bench
require_nfqueue bench
scripts/setup.sh
scripts/build.sh
. scripts/env.sh
exec node bench/dist/src/index.js "$@"
