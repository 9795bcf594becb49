#!/usr/bin/env bash
# Builds the images of copy, intercept and operator from their Dockerfiles and loads them into every node of the cluster, each
# only when what it is made from has changed: build-images.sh [--no-load] [NAME...]
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$cluster_dir/../.."

# Two builds at once take longer than one after the other, and the second one finds everything done.
if [[ ${IMAGES_LOCKED:-} != yes ]]; then
  IMAGES_LOCKED=yes exec flock "$CLUSTER_CACHE/images.lock" "$cluster_dir/build-images.sh" "$@"
fi

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
      grep -Ev '(^|/)test/|^[a-z-]+/bench/|\.md$' | sort | xargs -d '\n' sha256sum || true # a file that git knows may have been deleted
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

"$cluster_dir/load.sh" "${images[@]}"
