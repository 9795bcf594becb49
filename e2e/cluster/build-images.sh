#!/usr/bin/env bash
# Builds the images of copy, intercept and operator from their Dockerfiles and loads them into every node of the cluster, each
# only when what it is made from has changed: build-images.sh [--no-load] [NAME...]
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$cluster_dir/../.."

label=trafficcopy.dev/inputs
is_loading=true
[[ ${1:-} != --no-load ]] || { is_loading=false; shift; }
names=("$@")
[[ ${#names[@]} -gt 0 ]] || names=(copy intercept operator)

# Everything that a build may see, by content: files that git knows or would know, less what .dockerignore leaves out.
inputs() { # NAME
  {
    sha256sum "Dockerfile.$1" .dockerignore
    git ls-files --cached --others --exclude-standard -- package.json package-lock.json tsconfig.base.json LICENSE NOTICE bin \
      '*/package.json' native lab core runtime daemonset-intercept sidecar-copy operator cli |
      grep -Ev '(^|/)test/|^[a-z-]+/bench/|\.md$' | sort | xargs -d '\n' sha256sum
  } 2> /dev/null | sha256sum | cut -c 1-16
}

images=()
for name in "${names[@]}"; do
  image=localhost/trafficcopy-$name:dev
  hash=$(inputs "$name")
  if [[ $("$CONTAINER_TOOL" image inspect --format "{{index .Config.Labels \"$label\"}}" "$image" 2> /dev/null) != "$hash" ]]; then
    timed "image of $name" "$cluster_dir/image.sh" "trafficcopy-$name:dev" "Dockerfile.$name" . --label "$label=$hash"
  fi
  images+=("$image")
done
$is_loading || exit 0

# The nodes are asked: a cluster may be new, or hold an older image of that name.
is_loaded() { # NODE IMAGE
  local id
  id=$("$CONTAINER_TOOL" image inspect --format '{{.Id}}' "$2")
  # shellcheck disable=SC2016 # the node's own variables
  "$CONTAINER_TOOL" exec "$1" sh -c 'ctr -n k8s.io content get "$(ctr -n k8s.io images ls "name==$1" | awk "NR == 2 {print \$3}")"' \
    sh "$2" 2> /dev/null | grep -q "\"sha256:${id#sha256:}\""
}

missing=()
for image in "${images[@]}"; do
  for node in $(kind get nodes --name "$CLUSTER_NAME" 2> /dev/null); do
    is_loaded "$node" "$image" && continue
    missing+=("$image")
    break
  done
done
[[ ${#missing[@]} -eq 0 ]] || timed "loading ${missing[*]}" "$cluster_dir/load.sh" "${missing[@]}"
