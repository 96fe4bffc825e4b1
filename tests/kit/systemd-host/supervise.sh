#!/bin/sh
# supervise.sh NAME ROOT DISK NSPAWN-OPTION…: runs systemd as PID 1 on ROOT, with all changes kept in DISK.
# Called by `unshare --mount --propagation private`: what is mounted here nobody else sees, and it goes with us.
set -eu
name=$1 root=$2 disk=$3
shift 3

# systemd-nspawn looks at /sys/fs/cgroup to choose the hierarchy: show it the unified one, as Debian 12 has.
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
  umount -R /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mkdir -p "/sys/fs/cgroup/$name"
echo $$ >"/sys/fs/cgroup/$name/cgroup.procs"

# nspawn's own run-time files: not among those of the systemd of this machine.
mkdir -p /run/systemd
mount -t tmpfs -o mode=0755 tmpfs /run/systemd
mkdir -p "$disk/changes" "$disk/work" "$disk/root"
mount -t overlay -o "lowerdir=$root,upperdir=$disk/changes,workdir=$disk/work" overlay "$disk/root"

# nspawn's list of system calls is shorter than that of a real host: Landlock and cgroup device rules are not in it.
exec env -i PATH="$PATH" SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --boot \
  --directory="$disk/root" --machine="$name" --register=no --keep-unit --private-network \
  --console=read-only --link-journal=no --resolv-conf=off --timezone=off --settings=no \
  --system-call-filter='@system-service @debug bpf landlock_create_ruleset landlock_add_rule landlock_restrict_self' "$@"
