#!/usr/bin/env bash
# All that a cluster needs before it can be created: packages, programs, images. Does only what is not done yet. CI runs it
# beside the unit tests; a second run waits for the first.
set -euo pipefail
cd "$(dirname "$0")"
. ./env.sh

if [[ ${1:-} != --locked ]]; then
  alone ./prepare.sh --locked
  exit
fi

# kind's node image can be pulled where a container engine is and its registry answers.
can_pull() {
  command -v docker podman > /dev/null || return
  docker info > /dev/null 2>&1 || podman info > /dev/null 2>&1 || return
  [[ $(curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' https://registry-1.docker.io/v2/) == 401 ]]
}

if [[ $CLUSTER_IMAGES == built ]] && ! podman image exists "$NODE_IMAGE" 2> /dev/null && can_pull; then
  touch "$CLUSTER_CACHE/published"
  . ./env.sh
fi
if [[ $CLUSTER_IMAGES == published ]]; then
  timed programs ./programs.sh
else
  timed install ./install.sh
  timed build ./build.sh
  timed images ./images.sh
fi
