#!/usr/bin/env bash
# Builds one image with the engine of this machine, from a Dockerfile as it stands: image.sh NAME DOCKERFILE CONTEXT OPTIONS...
# Layers are kept for the next build.
set -euo pipefail
. "$(dirname "$0")/env.sh"

name=$1 file=$2 context=$3
shift 3
if [[ $CLUSTER_IMAGES == published ]]; then
  "$CONTAINER_TOOL" build --quiet --tag "localhost/$name" --file "$file" "$@" "$context"
else
  # The public base images are stand-ins under localhost/, which short names find first; a RUN step reaches the package
  # registries as this machine does.
  buildah bud --quiet --layers --pull-never --network host --tag "localhost/$name" --file "$file" "$@" "$context"
fi
