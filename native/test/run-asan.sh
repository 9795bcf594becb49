#!/usr/bin/env bash
# Runs the native tests on a build with AddressSanitizer and UndefinedBehaviorSanitizer. Extra arguments go to the test
# runner. Leaks are not looked for: Node.js itself keeps memory until the process ends.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/env.sh
make --silent -C native asan
node_modules/.bin/tsc -b native
runtime=$(${CXX:-g++} -print-file-name=libasan.so)
export TRAFFICCOPY_NATIVE_VARIANT=asan
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:handle_segv=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
LD_PRELOAD=$runtime exec node --test "$@" 'native/dist/test/*.test.js'
