#!/usr/bin/env bash
# Builds the package for hosts, trafficcopy_VERSION_ARCH.deb, from what scripts/build.sh has made: the programs, their Node.js, units,
# manual pages, completions. The same sources and SOURCE_DATE_EPOCH (default: the time of the last commit) give the same octets.
#
#   scripts/package.sh [--output DIR]                        for this machine
#   scripts/package.sh --arch ARCH --node DIR --addon FILE   for another one: its Node.js (bin/node and LICENSE below DIR) and its trafficcopy.node
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
umask 022
output=tmp/package
architecture=$(dpkg --print-architecture)
node_directory=$NODE_DIR
addon=native/build/trafficcopy.node
while [ $# -gt 1 ]; do
  case $1 in
    --output) output=$2 ;;
    --arch) architecture=$2 ;;
    --node) node_directory=$2 ;;
    --addon) addon=$2 ;;
    *) echo "package: no flag $1: --output, --arch, --node, --addon" >&2; exit 2 ;;
  esac
  shift 2
done
[ $# -eq 0 ] || { echo "package: $1 needs a value behind it" >&2; exit 2; }

# machine_of FILE: "Advanced Micro Devices X86-64", "AArch64"
machine_of() { LC_ALL=C readelf --file-header "$1" | sed -n 's/^ *Machine: *//p'; }
case $architecture in
  amd64) machine='Advanced Micro Devices X86-64' ;;
  arm64) machine=AArch64 ;;
  *) echo "package: no architecture $architecture: amd64, arm64" >&2; exit 2 ;;
esac
for file in "$node_directory/bin/node" "$addon"; do
  [ -r "$file" ] || { echo "package: $file is not there: run scripts/setup.sh and scripts/build.sh first" >&2; exit 1; }
  [ "$(machine_of "$file")" = "$machine" ] || {
    echo "package: $file is for $(machine_of "$file"), not for $architecture: give --node and --addon" >&2
    exit 1
  }
done

version=$(node -p 'require("./package.json").version')
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
library=$root/usr/lib/trafficcopy
share=$root/usr/share
mkdir -p "$library/bin" "$library/native/build" "$root/usr/bin" "$root/usr/lib/systemd/system" "$root/etc/trafficcopy" "$root/DEBIAN" \
  "$share/man/man1" "$share/doc/trafficcopy" \
  "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"

# The programs: what was compiled from sources that are still there, and the npm packages that it needs to run. No operator.
workspaces=(core native runtime sidecar-copy daemonset-intercept cli)
for workspace in "${workspaces[@]}"; do
  echo "$workspace/package.json"
  find "$workspace" -name node_modules -prune -o -name dist -prune -o -path "$workspace/test" -prune -o -path "$workspace/bench" -prune -o \
    -name '*.ts' -not -name '*.d.ts' -print | sed -E 's#^([^/]+)/(.*)\.ts$#\1/dist/\2.js#'
done | xargs cp --parents --no-preserve=mode,ownership --target-directory="$library"
npm ls --parseable --all --omit=dev --omit=optional "${workspaces[@]/#/--workspace=}" | sed -n "s#^$PWD/##p" | sort |
  # node-addon-api is headers; what is ours is linked below.
  grep -vE '^node_modules/(node-addon-api$|@trafficcopy/)' |
  while read -r package; do
    find "$package" -mindepth 1 -name node_modules -prune -o -type f -not -name '.*' -not -name '*.map' -not -name '*.d.ts' -not -name '*.d.[cm]ts' -print0
  done | xargs -0 -r cp --parents --no-preserve=mode,ownership --target-directory="$library"
mkdir -p "$library/node_modules/@trafficcopy"
for workspace in "${workspaces[@]}"; do ln -s "../../$workspace" "$library/node_modules/@trafficcopy/$workspace"; done
install -m 755 bin/trafficcopy "$library/bin/trafficcopy"
install -m 755 "$node_directory/bin/node" "$library/bin/node"
install -m 644 "$node_directory/LICENSE" "$library/bin/node.LICENSE"
install -m 644 "$addon" "$library/native/build/trafficcopy.node"
ln -s ../lib/trafficcopy/bin/trafficcopy "$root/usr/bin/trafficcopy"

# Made by the program itself, with this machine's Node.js.
trafficcopy() { node "$library/cli/dist/src/index.js" "$@"; }
trafficcopy manual --directory "$share/man/man1"
gzip -9n "$share/man/man1/"*.1
trafficcopy completion bash >"$share/bash-completion/completions/trafficcopy"
trafficcopy completion zsh >"$share/zsh/vendor-completions/_trafficcopy"
trafficcopy completion fish >"$share/fish/vendor_completions.d/trafficcopy.fish"

install -m 644 hosts/systemd/*.service "$root/usr/lib/systemd/system/"
install -m 640 hosts/etc/*.yaml "$root/etc/trafficcopy/"
install -m 644 hosts/debian/copyright NOTICE "$share/doc/trafficcopy/"
gzip -9nc CHANGELOG.md >"$share/doc/trafficcopy/changelog.gz"
install -m 755 hosts/debian/postinst hosts/debian/prerm hosts/debian/postrm "$root/DEBIAN/"
(cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$root/DEBIAN/conffiles"
(cd "$root" && find usr etc -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"

# Which versions of which shared libraries, as Debian's packages say it. Of a foreign architecture they are called the same.
mkdir "$work/debian" && printf 'Source: trafficcopy\n\nPackage: trafficcopy\nArchitecture: any\n' >"$work/debian/control"
built=("$PWD/native/build/trafficcopy.node" "$NODE_DIR/bin/node")
libraries=$(cd "$work" && dpkg-shlibdeps --warnings=0 -O "${built[@]}" 2>/dev/null | sed 's/^shlibs:Depends=//')
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SHARED_LIBRARIES@/$libraries/" \
  -e "s/@INSTALLED_SIZE@/$(du --summarize --apparent-size --block-size=1024 --exclude=DEBIAN "$root" | cut -f1)/" hosts/debian/control.in >"$root/DEBIAN/control"

find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$output"
package=$output/trafficcopy_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zzstd -z3 --build "$root" "$package" >/dev/null
echo "$package"
