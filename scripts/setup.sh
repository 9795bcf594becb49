#!/usr/bin/env bash
# Installs what building and testing need and is not there yet: Debian packages, Node 24 or newer beside the
# system's own, npm packages. Does nothing when everything is there. `--run` leaves out what only tests need.
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(g++ make python3 pkg-config libpcap-dev libmnl-dev libnetfilter-queue-dev iptables nftables iproute2 procps dpkg-dev binutils)
test_packages=(curl tcpdump tshark wrk ethtool nginx-light redis-server redis-tools postgresql postgresql-client
  mariadb-server mariadb-client nghttp2-client nghttp2-server clang-format clang-tidy openssl shellcheck libfaketime man-db mandoc bsdextrautils zsh fish adduser systemd
  chromium-headless-shell apache2-utils dnsmasq-base unbound bind9-dnsutils dnsperf)
packages=("${build_packages[@]}")
[ "${1:-}" = --run ] || packages+=("${test_packages[@]}")

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "setup: these Debian packages are missing: ${missing[*]}" >&2
    echo "setup: run this as root on Debian or Ubuntu, or install their equivalents and try again" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  # A server package must not start its server here: the tests start their own, in namespaces.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# shellcheck source=scripts/env.sh
. scripts/env.sh
if ! node_is_new_enough; then
  case "$(uname -m)" in
    x86_64) platform=linux-x64 ;;
    aarch64) platform=linux-arm64 ;;
    *) echo "setup: no Node.js for $(uname -m) is known here: install Node.js 24 or newer with its headers" >&2; exit 1 ;;
  esac
  echo "setup: bringing Node.js 24 into .tools (the system's own stays as it is)"
  npm install --silent --no-audit --no-fund --prefix .tools --no-save "node-$platform@24"
  ln -sfn "node_modules/node-$platform" .tools/node
  . scripts/env.sh
fi

lock_hash=$(sha256sum package-lock.json ./*/package.json scripts/setup.sh | sha256sum | cut -d' ' -f1)-$(node --version)
if [ "$(cat node_modules/.setup 2>/dev/null)" != "$lock_hash" ]; then
  echo "setup: installing npm packages"
  npm ci --silent --no-audit --no-fund --ignore-scripts
  # The second backends use V8's own API: they are built here for exactly this Node.js. They are optional.
  for optional in cap nfqueue; do
    [ -d "node_modules/$optional" ] || continue
    (cd "node_modules/$optional" && node ../node-gyp/bin/node-gyp.js rebuild --nodedir="$NODE_DIR" >build.log 2>&1) ||
      echo "setup: the optional package $optional did not build (node_modules/$optional/build.log): its backend is off"
  done
  echo "$lock_hash" >node_modules/.setup
fi
