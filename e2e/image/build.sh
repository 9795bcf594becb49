#!/usr/bin/env bash
# Builds the image of the cluster tests from the compiled programs, and loads it.
set -euo pipefail
cd "$(dirname "$0")/../.."

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp -r e2e/image/nginx "$context/nginx"
mkdir -p "$context/app/lab/programs" "$context/app/e2e" "$context/app/node_modules/@assemblyscript"
cp lab/dist/src/programs/*.js "$context/app/lab/programs/"
cp e2e/dist/src/programs/*.js "$context/app/e2e/"
cp -r node_modules/{hdr-histogram-js,base64-js,pako} "$context/app/node_modules/"
cp -r node_modules/@assemblyscript/loader "$context/app/node_modules/@assemblyscript/"
echo '{"type": "module"}' > "$context/app/package.json"
find "$context" -exec touch --date=@0 {} + # the same files, the same layers

e2e/cluster/image.sh trafficcopy-e2e:dev e2e/image/Dockerfile "$context"
e2e/cluster/load.sh trafficcopy-e2e:dev
