#!/usr/bin/env bash
# Builds the images of copy, intercept and operator from their Dockerfiles and loads them into every node of the cluster, each
# only when what it is made from has changed: build-images.sh [--no-load] [NAME...]
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$cluster_dir/../.."

label=trafficcopy.dev/inputs
tool=${CONTAINER_TOOL:-podman}
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
      grep -Ev '(^|/)(test|bench)/.*[^n]$|\.md$' | sort | xargs -d '\n' sha256sum
  } 2> /dev/null | sha256sum | cut -c 1-16
}

changed=()
for name in "${names[@]}"; do
  image=localhost/trafficcopy-$name:dev
  hash=$(inputs "$name")
  if [[ $("$tool" image inspect --format "{{index .Labels \"$label\"}}" "$image" 2> /dev/null) != "$hash" ]]; then
    timed "image of $name" "$cluster_dir/image.sh" "trafficcopy-$name:dev" "Dockerfile.$name" . --label "$label=$hash"
  fi
  changed+=("$image")
done
$is_loading || exit 0

# What the nodes have is asked of them: a cluster may be new, an image old.
missing=()
for image in "${changed[@]}"; do
  id=$("$tool" image inspect --format '{{.Id}}' "$image")
  for node in $(kind get nodes --name "$CLUSTER_NAME" 2> /dev/null); do
    "$tool" exec "$node" crictl images --no-trunc --quiet 2> /dev/null | grep -q "${id#sha256:}" && continue
    missing+=("$image")
    break
  done
done
[[ ${#missing[@]} -eq 0 ]] || timed "loading ${missing[*]}" "$cluster_dir/load.sh" "${missing[@]}"
