# Sourced by the other scripts: puts a Node.js of version 24 or newer first in PATH and says where its headers are.
# shellcheck shell=bash
node_is_new_enough() {
  [ -n "${NODE_DIR:-}" ] && [ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 24' 2>/dev/null)" = true ]
}
if [ -x "$PWD/.tools/node/bin/node" ]; then
  NODE_DIR=$PWD/.tools/node
  PATH=$NODE_DIR/bin:$PATH
elif command -v node >/dev/null; then
  NODE_DIR=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  [ -e "$NODE_DIR/include/node/node_api.h" ] || NODE_DIR=
fi
export NODE_DIR PATH
