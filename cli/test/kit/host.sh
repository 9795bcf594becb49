#!/usr/bin/env bash
# A host for packages: this machine's file system with a layer of its own over it, processes and network of its own, and systemd as the first
# process. Nothing of it is seen outside; all of it goes when this process is killed, but for DIRECTORY and the cgroup, which the caller removes.
#   host.sh DIRECTORY CGROUP
set -euo pipefail
directory=$1 cgroup=$2
if [ "${3-}" != inside ]; then
  # The whole tree of systemd's cgroups goes below this one, away from those of the machine.
  mkdir -p "$directory"/{upper,work,root} "$cgroup"
  echo $$ >"$cgroup/cgroup.procs"
  exec unshare --mount --pid --fork --net --uts --ipc --cgroup --kill-child "$0" "$directory" "$cgroup" inside
fi
root=$directory/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$directory/upper,workdir=$directory/work" "$root"
cd "$root"
mount -t proc proc proc
# The machine's own settings are not the host's: only those of its network.
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --bind /dev dev
mount -o remount,bind,ro dev
ip link set lo up
# No service of this machine: only what is asked for, and the journal.
rm -rf etc/systemd/system/*.wants lib/systemd/system/*.wants
# Nor an index of all manual pages of this machine, anew for each package.
rm -f var/lib/man-db/auto-update
cat >etc/systemd/system/test.target <<END
[Unit]
DefaultDependencies=no
Wants=systemd-journald.socket systemd-journald-dev-log.socket
END
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=test chroot . /lib/systemd/systemd --unit=test.target --show-status=no
