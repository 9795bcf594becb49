#!/usr/bin/env bash
# What the cluster looks like, for a test that failed: resources, pods, events, logs of the product.
set -uo pipefail
. "$(dirname "$0")/env.sh"

kubectl get nodes --show-labels
kubectl get pods --all-namespaces -o wide
kubectl get trafficcopies --all-namespaces -o yaml
kubectl get mutatingwebhookconfigurations trafficcopy -o yaml
kubectl get events --all-namespaces --sort-by=.lastTimestamp | tail -100
for pod in $(kubectl --namespace trafficcopy-system get pods -o name); do
  echo "== $pod"
  kubectl --namespace trafficcopy-system logs --all-containers --tail=200 "$pod"
  kubectl --namespace trafficcopy-system logs --all-containers --tail=50 --previous "$pod" 2> /dev/null
done
