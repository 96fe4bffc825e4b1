#!/bin/sh
# start.sh DIRECTORY BINARY ADDRESS HIDDEN…: in namespaces of its own, makes DIRECTORY/root: the root of this machine
# without what is HIDDEN, below what lies in DIRECTORY/upper, with a network of its own. Prints "ready" and stays until
# its input ends.
set -eu
directory=$1 binary=$2 address=$3
shift 3
root=$directory/root
# A device 0:0 in a layer hides what the layers below it have under that name. No layer may lie in another.
mount -t tmpfs none "$directory/hidden"
for path; do
  mkdir -p "$directory/hidden${path%/*}"
  mknod "$directory/hidden$path" c 0 0
done
layers=lowerdir=$directory/hidden:/,upperdir=$directory/upper,workdir=$directory/work
mount -t overlay -o "$layers" overlay "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup" 2>/dev/null || true
mount -t tmpfs -o nosuid,nodev none "$root/tmp"
mount -t tmpfs -o mode=0755 none "$root/run"
mount --rbind /dev "$root/dev"
: >"$root/usr/local/bin/reeve"
chmod 0755 "$root/usr/local/bin/reeve"
mount --bind "$binary" "$root/usr/local/bin/reeve"
ip link set lo up
ip link add out0 type veth peer name far0
ip link set far0 up
ip address add "$address" dev out0
ip link set out0 up
ip route add default via "${address%.*}.1"
echo ready
exec cat >/dev/null
