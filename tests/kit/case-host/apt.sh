#!/bin/sh
# What `apt-get update` and the package unattended-upgrades leave behind on a Debian without pending updates.
set -eu
now=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S UTC')
until=$(LC_ALL=C date -u -d '+7 days' '+%a, %d %b %Y %H:%M:%S UTC')
lists=/var/lib/apt/lists
source=security.debian.org_debian-security_dists_bookworm-security
package='Package: base-files
Version: 12.4+deb12u1
Architecture: amd64
'
mkdir -p "$lists" /var/lib/apt/periodic /etc/apt/apt.conf.d /var/lib/dpkg/info
printf '%s\n' "$package" >"$lists/${source}_main_binary-amd64_Packages"
cat >"$lists/${source}_InRelease" <<END
Origin: Debian
Label: Debian-Security
Suite: stable-security
Codename: bookworm-security
Date: $now
Valid-Until: $until
SHA256:
 $(sha256sum <"$lists/${source}_main_binary-amd64_Packages" | cut -d ' ' -f 1) $(stat -c %s "$lists/${source}_main_binary-amd64_Packages") main/binary-amd64/Packages
END
grep -q '^Package: unattended-upgrades$' /var/lib/dpkg/status || cat >>/var/lib/dpkg/status <<'END'

Package: unattended-upgrades
Status: install ok installed
Architecture: all
Version: 2.9.1
END
: >/var/lib/dpkg/info/unattended-upgrades.list
for stamp in update-success-stamp upgrade-stamp unattended-upgrades-stamp; do : >"/var/lib/apt/periodic/$stamp"; done
cat >/etc/apt/apt.conf.d/20auto-upgrades <<'END'
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
END
cat >/etc/apt/apt.conf.d/50unattended-upgrades <<'END'
Unattended-Upgrade::Origins-Pattern { "origin=Debian,codename=${distro_codename}-security,label=Debian-Security"; };
END
