#!/bin/sh
# build-root.sh DIRECTORY: makes the Debian 12 root that the test hosts boot from, once, and prints its path.
# It is named after this file's content, so that a changed package list makes a new one.
set -eu
packages=systemd,systemd-sysv,dbus,procps,curl,gnupg,zstd,openssl,openssh-client,logrotate
cache=$1
mkdir -p "$cache"
root=$cache/root-$(sha256sum <"$0" | cut -c 1-12)

exec 9>"$cache/lock"
flock 9
if [ ! -d "$root" ]; then
  rm -rf --one-file-system "$cache"/root-*
  sources=''
  for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    if [ -s "$file" ] && [ -z "$sources" ]; then sources=$file; fi
  done
  mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt=force-unsafe-io \
    bookworm "$root.new" ${sources:+"$sources"} >&2

  # A host of its own: not the name and resolver of the machine that built it, an id from its first boot.
  rm -f "$root.new/etc/hostname"
  : >"$root.new/etc/machine-id"
  : >"$root.new/etc/resolv.conf"
  echo '127.0.0.1 localhost' >"$root.new/etc/hosts"
  mkdir -p "$root.new/var/log/journal"
  # There is no terminal and no network in it, and nothing is to change under a test.
  for unit in console-getty.service getty@.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer e2scrub_all.timer logrotate.timer; do
    ln -s /dev/null "$root.new/etc/systemd/system/$unit"
  done
  mv "$root.new" "$root"
fi
echo "$root"
