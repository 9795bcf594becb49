#!/usr/bin/env bash
# The demo on a fresh machine: installs what is missing, builds, and shows a live copy between network namespaces.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/kernel.sh
require_root demo
require_nfqueue demo
scripts/setup.sh
scripts/build.sh
require_nfqueue demo
. scripts/env.sh
exec node lab/dist/src/demo/main.js
