#!/usr/bin/env bash
# Fuzzes everything that reads hostile bytes: `scripts/fuzz.sh --seconds 600`. CONTRIBUTING.md tells more.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
scripts/build.sh
. scripts/env.sh
exec node fuzz/dist/src/main.js "$@"
