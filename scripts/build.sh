#!/usr/bin/env bash
# Compiles TypeScript and the native addon; both only where sources changed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
node_modules/.bin/tsc -b
make --silent -C native
