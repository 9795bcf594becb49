#!/usr/bin/env bash
# Where images can be pulled: kind, kubectl and helm, as far as they are not installed.
set -euo pipefail
. "$(dirname "$0")/env.sh"

mkdir -p "$CLUSTER_CACHE/bin"
from_go() { # PACKAGE NAME
  command -v "$2" > /dev/null && return
  (cd "$cluster_dir/tools" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$CLUSTER_CACHE/bin/$2" "$1")
}
from_go sigs.k8s.io/kind kind
from_go helm.sh/helm/v3/cmd/helm helm
if ! command -v kubectl > /dev/null; then
  image=${E2E_NODE_IMAGE:-kindest/node:$KUBERNETES_VERSION} # any of this minor release will do
  container=$("$CONTAINER_TOOL" create "$image" || "$CONTAINER_TOOL" create "kindest/node:${KUBERNETES_VERSION%.*}.0")
  "$CONTAINER_TOOL" cp "$container:/usr/bin/kubectl" "$CLUSTER_CACHE/bin/kubectl"
  "$CONTAINER_TOOL" rm "$container" > /dev/null
fi
