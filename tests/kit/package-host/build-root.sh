#!/bin/sh
# build-root.sh DIRECTORY: makes a small Debian 12 with packages to install and to upgrade in apt's cache, once, and
# prints its path. It is named after this file's content, so that a changed package list makes a new one.
set -eu
# shellcheck disable=SC2089 # a list of package names
packages='cron openssl ca-certificates sudo python3-minimal nginx-light'
cache=$1
mkdir -p "$cache"
root=$cache/packages-$(sha256sum <"$0" | cut -c 1-12)

exec 9>"$cache/packages.lock"
flock 9
if [ ! -d "$root" ]; then
  rm -rf --one-file-system "$cache"/packages-*
  sources=''
  for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    if [ -s "$file" ] && [ -z "$sources" ]; then sources=$file; fi
  done
  # The first download is of what the release has, the second of what its updates have.
  # shellcheck disable=SC2016 # for the shell that mmdebstrap starts
  mmdebstrap --quiet --mode=root --variant=minbase --dpkgopt=force-unsafe-io \
    --skip=cleanup/apt --customize-hook="chroot \"\$1\" apt-get -qq -y -d --no-install-recommends -t bookworm install $packages" \
    --customize-hook="chroot \"\$1\" apt-get -qq -y -d --no-install-recommends install $packages" \
    bookworm "$root.new" ${sources:+"$sources"} >&2
  echo "$packages" >"$root.new/packages"
  : >"$root.new/etc/resolv.conf"
  mv "$root.new" "$root"
fi
echo "$root"
