# Sourced by the other scripts: what they need from the machine, checked before anything is installed or built.
# shellcheck shell=bash

# Ends the script with a message when it does not run as root.
require_root() {
  [ "$(id -u)" -eq 0 ] && return
  echo "$1: this needs root, for network namespaces, raw sockets and iptables: run «sudo make $1»" >&2
  exit 1
}

# Ends the script with a message when the kernel has no network namespaces or no NFQUEUE. Without iptables (it is installed
# later) it believes what the kernel's configuration says.
require_nfqueue() {
  if ! unshare --net true 2>/dev/null; then
    echo "$1: network namespaces cannot be made here (unshare --net failed): in a container, run it with --privileged" >&2
    exit 1
  fi
  local advice="load the modules (modprobe -a xt_NFQUEUE nfnetlink_queue), or run on a kernel with CONFIG_NETFILTER_XT_TARGET_NFQUEUE and CONFIG_NETFILTER_NETLINK_QUEUE, as those of Debian and Ubuntu have"
  modprobe -aq xt_NFQUEUE nfnetlink_queue 2>/dev/null || true
  if [ ! -e /proc/net/netfilter/nfnetlink_queue ]; then
    echo "$1: this kernel ($(uname -r)) has no NFQUEUE (nfnetlink_queue): $advice" >&2
    exit 1
  fi
  command -v iptables >/dev/null || return 0
  local said
  if ! said=$(unshare --net iptables -t mangle -A OUTPUT -p tcp -m mark --mark 1 -j NFQUEUE --queue-num 1 2>&1); then
    echo "$1: iptables cannot make an NFQUEUE rule on this kernel ($(uname -r)): $said" >&2
    echo "$1: $advice" >&2
    exit 1
  fi
}
