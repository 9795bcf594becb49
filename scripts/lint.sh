#!/usr/bin/env bash
# Format and lint of all sources. Types are checked by the build.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
node_modules/.bin/biome ci --error-on-warnings --colors=off .
mapfile -t native < <(find native/src native/test -name '*.cc' -o -name '*.h' 2>/dev/null)
[ ${#native[@]} -eq 0 ] || clang-format --dry-run -Werror "${native[@]}"
shellcheck --external-sources --source-path=SCRIPTDIR scripts/*.sh e2e/*/*.sh native/test/*.sh cli/test/kit/*.{bash,sh} hosts/debian/{postinst,prerm,postrm} .ci/run bin/*
