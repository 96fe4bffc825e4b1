#!/bin/sh
# Installs reeve on this host, tries it without installing anything, or removes it: ./install.sh --help
# Nothing runs before the last line, so that a half-copied file does nothing.
set -eu

usage() {
  cat <<'END'
Usage:
  ./install.sh --try [--once]        try it: no root, nothing installed, Ctrl-C ends it
                                     (--once: ends after the report, with the exit code of "reeve run")
  sudo ./install.sh [options]        install or upgrade; configuration, tokens and data are kept
  sudo ./install.sh --uninstall [--purge]

Options:
  --archive FILE   install this release archive; SHA256SUMS has to lie beside it (default: build this checkout)
  --prefix DIR     the binary goes to DIR/bin, completions to DIR/share (default: /usr/local)
  --root DIR       put all files below DIR for an image or a package; no user is made, nothing is started
  --no-start       install and enable, but do not start
  --timers         a systemd timer for each job instead of the daemon's own schedule (kept by later runs)
  --uninstall      remove reeve; configuration, data and the user "reeve" stay
  --purge          with --uninstall: remove these too, and with them every backup below /var/lib/reeve
  --help           this text
END
}

say() { printf '%s\n' "$@"; }
fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}
wrong_usage() {
  printf 'install.sh: %s (see ./install.sh --help)\n' "$*" >&2
  exit 2
}

parse_options() {
  action=install archive='' prefix='' root='' start=yes timers=no purge=no once=no
  while [ $# -gt 0 ]; do
    case $1 in
      --archive | --prefix | --root)
        [ $# -ge 2 ] || wrong_usage "Cannot read \"$1\": it wants a path after it"
        case $1 in
          --archive) archive=$2 ;;
          --prefix) prefix=$2 ;;
          --root) root=$2 ;;
        esac
        shift
        ;;
      --no-start) start=no ;;
      --timers) timers=yes ;;
      --purge) purge=yes ;;
      --once) once=yes ;;
      --try) action=try ;;
      --uninstall) action=uninstall ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) wrong_usage "Cannot read \"$1\": unknown option" ;;
    esac
    shift
  done
  [ "$purge" = no ] || [ "$action" = uninstall ] || wrong_usage 'Cannot purge: --purge goes with --uninstall'
  [ "$once" = no ] || [ "$action" = try ] || wrong_usage 'Cannot end after the report: --once goes with --try'
  if [ "$action" = try ] && [ "$archive$prefix$root" != '' ]; then
    wrong_usage 'Cannot try: --try installs nothing, so it takes no --archive, --prefix or --root'
  fi
  # Both end up in unit files and in rm: plain absolute paths only.
  for directory in "$prefix" "$root"; do
    case $directory in
      '') ;;
      *[!A-Za-z0-9/._-]* | [!/]* | */../* | */..) wrong_usage "Cannot use \"$directory\": wanted an absolute path of letters, digits and / . _ -" ;;
    esac
  done
  root=${root%/}
}

need() {
  command -v "$1" >/dev/null 2>&1 || fail "Cannot continue: \"$1\" is not installed${2:+ (Debian: apt-get install $2)}"
}

check_machine() {
  [ "$(uname -s)" = Linux ] || fail "Cannot install on $(uname -s): reeve looks after Linux hosts"
  case $(uname -m) in
    x86_64) architecture=x64 elf_machine=3e00 ;;
    aarch64) architecture=arm64 elf_machine=b700 ;;
    *) fail "Cannot install on $(uname -m): reeve is made for x86_64 and aarch64" ;;
  esac
}

# Below --root it is the work of whoever calls; on the host itself it takes root and systemd.
check_host() {
  [ -z "$root" ] || return 0
  [ "$(id -u)" = 0 ] || fail 'Cannot install: not root. Run "sudo ./install.sh", or try it first with "./install.sh --try"'
  PATH=$PATH:/usr/sbin:/sbin # where a plain "su" does not look
  need systemctl
  need runuser util-linux
  need useradd passwd
  is_service_account ||
    fail 'Cannot use the account "reeve": it has a login shell, so it belongs to a person. reeve needs this name'
  [ -d /run/systemd/system ] || [ "$start" = no ] ||
    fail 'Cannot start reeve: systemd does not run here. Take --no-start to prepare an image, or --try'
}

# --- where the files come from: a release archive, an unpacked one, or this checkout --------------------------------

obtain() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/reeve-install.XXXXXX")
  trap 'rm -rf "$work" "${bin_new:-}"' EXIT
  trap 'exit 130' INT TERM HUP
  need sha256sum coreutils
  if [ -n "$archive" ]; then
    unpack_archive
  elif is_unpacked; then
    take_unpacked "$here"
  else
    build
    source=$here binary=$here/dist/reeve
  fi
  check_binary
}

is_unpacked() { [ -f "$here/SHA256SUMS" ] && [ -f "$here/reeve" ]; }

check_binary() {
  found=$(od -An -tx1 -j18 -N2 "$binary" | tr -d ' ')
  [ "$found" = "$elf_machine" ] ||
    fail "Cannot install \"$binary\": it is not made for this $(uname -m) machine (wanted the linux-$architecture archive)"
}

# verify FILE SUMS NAME: FILE is what the one line about NAME in SUMS says.
verify() {
  wanted=$(awk -v name="$3" '$2 == name || $2 == "*" name { print $1 }' "$2")
  [ "${#wanted}" -eq 64 ] || fail "Cannot verify \"$3\": \"$2\" has no line, or more than one, about it"
  actual=$(sha256sum <"$1" | cut -d ' ' -f 1)
  [ "$actual" = "$wanted" ] ||
    fail "Cannot install \"$3\": its SHA-256 is $actual, SHA256SUMS says $wanted. It is damaged or was changed; fetch it again"
}

unpack_archive() {
  need tar
  need gzip
  [ -f "$archive" ] || fail "Cannot read \"$archive\": no such file"
  sums=$(dirname -- "$archive")/SHA256SUMS name=$(basename -- "$archive")
  [ -f "$sums" ] || fail "Cannot verify \"$archive\": there is no SHA256SUMS beside it"
  need_space "$work" 400
  cp -- "$archive" "$work/archive" # what is checked is then what is unpacked, whoever may write there
  verify "$work/archive" "$sums" "$name"
  mkdir "$work/unpacked"
  tar -xzf "$work/archive" --no-same-owner --strip-components=1 -C "$work/unpacked" ||
    fail "Cannot unpack \"$archive\": see above"
  rm -f "$work/archive"
  take_unpacked "$work/unpacked"
}

# Takes a copy of what is needed of an unpacked release, and nothing that its SHA256SUMS does not vouch for.
take_unpacked() {
  source=$work/release binary=$work/release/reeve
  mkdir -p "$source/packaging/systemd"
  need_space "$work" 250
  for file in reeve packaging/systemd/reeve.service; do
    [ -f "$1/$file" ] || fail "Cannot read \"$1/$file\": the release is not complete"
    cp -- "$1/$file" "$source/$file"
    verify "$source/$file" "$1/SHA256SUMS" "$file"
  done
  chmod 0755 "$binary"
}

# Builds as the owner of the checkout: downloaded code does not run as root for having been installed by sudo.
build() {
  [ -f "$here/scripts/build.ts" ] || fail "Cannot install from \"$here\": it is neither a checkout nor an unpacked release"
  if [ -d "$here/node_modules" ]; then need_space "$here" 300; else need_space "$here" 900; fi
  say 'Building reeve; the first time this fetches the pinned Bun and the libraries …'
  for step in 'install --frozen-lockfile' scripts/build.ts; do
    # shellcheck disable=SC2086 # words of a command
    output=$(as_owner "$here/scripts/bun" $step 2>&1) || {
      printf '%s\n' "$output" >&2
      fail 'Cannot build reeve: see above'
    }
  done
}

as_owner() {
  owner=$(stat -c %U "$here")
  cd "$here"
  if [ "$(id -u)" = 0 ] && [ "$owner" != root ] && [ "$owner" != UNKNOWN ]; then
    runuser -u "$owner" -- env HOME="$(getent passwd "$owner" | cut -d : -f 6)" "$@"
  else
    "$@"
  fi
}

# need_space DIRECTORY MEBIBYTES: DIRECTORY, or the nearest one above that exists, has that much free.
need_space() {
  directory=$1
  while [ ! -d "$directory" ]; do directory=$(dirname -- "$directory"); done
  free=$(df -Pk "$directory" | awk 'NR == 2 { print int($4 / 1024) }')
  [ "$free" -ge "$2" ] || fail "Cannot write to \"$1\": $free MiB are free there, $2 MiB are needed"
}

# --- installing -----------------------------------------------------------------------------------------------------

installed_prefix() {
  sed -n 's|^ExecStart=\(/.*\)/bin/reeve daemon$|\1|p' "$root/etc/systemd/system/reeve.service" 2>/dev/null | head -n 1
}

set_paths() {
  prefix=${prefix:-$(installed_prefix)}
  prefix=${prefix:-/usr/local}
  prefix=${prefix%/}
  bin=$root$prefix/bin/reeve
  config=$root/etc/reeve/reeve.yaml
  state=$root/var/lib/reeve
  units=$root/etc/systemd/system
  completions="$root$prefix/share/bash-completion/completions/reeve $root$prefix/share/zsh/site-functions/_reeve $root$prefix/share/fish/vendor_completions.d/reeve.fish"
}

# with_paths BINARY ARGUMENT…: reeve, told where its files are while they are below --root.
with_paths() {
  if [ -n "$root" ]; then REEVE_CONFIG=$config REEVE_STATE_DIR=$state "$@"; else REEVE_CONFIG=$config "$@"; fi
}

put_binary() {
  size=$(($(stat -c %s "$binary") / 1048576 + 16))
  need_space "$(dirname -- "$bin")" "$size"
  need_space "$state" 64
  mkdir -p "$(dirname -- "$bin")"
  bin_new=$(dirname -- "$bin")/.reeve.new
  cp -- "$binary" "$bin_new"
  chmod 0755 "$bin_new"
  sync "$bin_new"
  version=$("$bin_new" version) || fail "Cannot install \"$binary\": it does not run on this host"
  if [ -e "$config" ]; then
    with_paths "$bin_new" config show >/dev/null 2>"$work/refusal" || {
      cat "$work/refusal" >&2
      fail "Cannot install $version: it does not accept \"$config\", see above. Nothing was changed"
    }
  fi
  mv -f "$bin_new" "$bin"
  sync "$(dirname -- "$bin")"
}

# True as well when there is no such account.
is_service_account() {
  case $(getent passwd reeve | cut -d : -f 7) in
    '' | */nologin | */false) return 0 ;;
  esac
  return 1
}

make_user() {
  [ -z "$root" ] || return 0
  getent group reeve >/dev/null || groupadd --system reeve
  nologin=$(command -v nologin || echo /bin/false)
  getent passwd reeve >/dev/null ||
    useradd --system --gid reeve --home-dir /var/lib/reeve --no-create-home --shell "$nologin" --comment 'reeve host agent' reeve
}

# give OWNER:GROUP MODE PATH; below --root the owner stays who calls.
give() {
  [ -n "$root" ] || chown "$1" "$3"
  chmod "$2" "$3"
}

put_configuration() {
  mkdir -p "$root/etc/reeve/conf.d" "$state"
  give root:reeve 0750 "$root/etc/reeve"
  give root:reeve 0750 "$root/etc/reeve/conf.d"
  give reeve:reeve 0700 "$state"
  [ ! -e "$config" ] || return 0
  with_paths "$bin" init >/dev/null
  give root:reeve 0640 "$config"
  say "Wrote $config: look it over, it is yours from now on"
}

# put FILE reads standard input; the file appears whole or not at all.
put() {
  mkdir -p "$(dirname -- "$1")"
  cat >"$1.new"
  chmod 0644 "$1.new"
  sync "$1.new"
  mv -f "$1.new" "$1"
  sync "$(dirname -- "$1")"
}

put_units() {
  sed "s|^ExecStart=/usr/local/bin/reeve |ExecStart=$prefix/bin/reeve |" "$source/packaging/systemd/reeve.service" >"$work/unit"
  put "$units/reeve.service" <"$work/unit"
  with_paths "$bin" config unit >"$work/unit"
  put "$units/reeve.service.d/10-jobs.conf" <"$work/unit"
}

put_completions() {
  # shellcheck disable=SC2086 # three plain paths
  set -- $completions
  for shell in bash zsh fish; do
    "$bin" completion "$shell" >"$work/completion"
    put "$1" <"$work/completion"
    shift
  done
}

as_reeve() {
  runuser -u reeve -- env -i PATH="$PATH" REEVE_CONFIG="$config" "$bin" "$@"
}

make_token() {
  [ -z "$root" ] || return 0
  [ "$(as_reeve token list --json)" = '[]' ] || return 0
  token=$(as_reeve token new admin --scope admin 2>/dev/null)
  say '' 'API token "admin", shown this once (only its SHA-256 is kept):' "  $token" ''
}

# --- the service ----------------------------------------------------------------------------------------------------

start_service() {
  if [ -n "$root" ]; then return 0; fi
  # shellcheck disable=SC2046 # names of units
  systemctl --quiet enable reeve.service $(timer_units)
  if [ "$start" = no ]; then
    say 'Not started; do it with: systemctl start reeve'
    return 0
  fi
  systemctl daemon-reload
  systemctl restart reeve.service || start_failed
  # shellcheck disable=SC2046 # names of units
  [ "$timers" = no ] || systemctl start $(timer_units)
  wait_ready
}

wait_ready() {
  seconds=0
  until is_ready; do
    systemctl --quiet is-active reeve.service || start_failed
    seconds=$((seconds + 1))
    [ "$seconds" -le 20 ] || fail "Cannot see reeve ready: it runs, but /readyz does not say so: $report"
    sleep 1
  done
}

# Asks /readyz through the socket; a configuration without a socket leaves it at what systemd was told.
is_ready() {
  report=$("$bin" doctor --json 2>&1 | tr -d ' \n')
  case $report in
    *'"what":"daemon","verdict":"ok"'* | *'(nosocket)'*) return 0 ;;
  esac
  return 1
}

start_failed() {
  journalctl --unit=reeve.service --lines=20 --no-pager --output=cat >&2 || true
  fail 'Cannot start reeve: see above. Put it right, then: systemctl start reeve'
}

# Names of the timers that "reeve config timers" made here.
timer_units() {
  for unit in "$units"/reeve-*.timer; do
    if grep -q '^Description=reeve: ' "$unit" 2>/dev/null; then basename "$unit"; fi
  done
}

put_timers() {
  if [ -n "$(timer_units)" ]; then timers=yes; fi
  [ "$timers" = yes ] || return 0
  with_paths "$bin" config timers --binary "$prefix/bin/reeve" --output "$work/timers" >/dev/null
  for unit in $(timer_units); do
    [ -e "$work/timers/$unit" ] || remove_timer "$unit"
  done
  for unit in "$work"/timers/*; do
    put "$units/${unit##*/}" <"$unit"
  done
  # The daemon then serves, tells when a job is late, and starts none itself.
  printf '[Service]\nExecStart=\nExecStart=%s daemon --no-schedule\n' "$prefix/bin/reeve" |
    put "$units/reeve.service.d/20-timers.conf"
}

remove_timer() {
  [ -n "$root" ] || systemctl --quiet disable --now "$1" 2>/dev/null || true
  rm -f "$units/$1" "$units/${1%.timer}.service"
  [ -n "$root" ] || rm -f "/var/lib/systemd/timers/stamp-$1"
}

# --- removing -------------------------------------------------------------------------------------------------------

uninstall_reeve() {
  set_paths
  if [ -z "$root" ]; then
    [ "$(id -u)" = 0 ] || fail 'Cannot uninstall: not root. Run "sudo ./install.sh --uninstall"'
    systemctl --quiet disable --now reeve.service 2>/dev/null || true
  fi
  for unit in $(timer_units); do remove_timer "$unit"; done
  # shellcheck disable=SC2086 # plain paths
  rm -f "$bin" "$(dirname -- "$bin")/.reeve.new" $completions \
    "$units/reeve.service" "$units/reeve.service.d/10-jobs.conf" "$units/reeve.service.d/20-timers.conf"
  remove_empty "$units/reeve.service.d"
  for file in $completions; do
    remove_empty "${file%/*}"
    remove_empty "$(dirname -- "${file%/*}")"
  done
  case $prefix in
    /usr | /usr/local) ;;
    *) for directory in /bin /share ''; do remove_empty "$root$prefix$directory"; done ;;
  esac
  if [ -z "$root" ]; then
    systemctl daemon-reload 2>/dev/null || true
    systemctl reset-failed 'reeve*' 2>/dev/null || true
  fi
  if [ "$purge" = no ]; then
    say "reeve is removed; $root/etc/reeve, $state and the user \"reeve\" stay (--purge removes them)"
    return 0
  fi
  rm -rf --one-file-system -- "$root/etc/reeve" "$state" "$units/reeve.service.d"
  if [ -z "$root" ]; then remove_user; fi
  say "reeve is removed, with $root/etc/reeve and $state"
}

remove_empty() { rmdir "$1" 2>/dev/null || true; }

remove_user() {
  if ! is_service_account; then return 0; fi
  if getent passwd reeve >/dev/null; then userdel reeve; fi
  if getent group reeve >/dev/null; then groupdel reeve; fi
}

# --- trying ---------------------------------------------------------------------------------------------------------

prepare_trial() {
  check_machine
  if is_unpacked; then
    verify "$here/reeve" "$here/SHA256SUMS" reeve
    binary=$here/reeve
  else
    build
    binary=$here/dist/reeve
  fi
  check_binary
}

install_reeve() {
  umask 022
  check_machine
  check_host
  set_paths
  obtain
  put_binary
  make_user
  put_configuration
  put_units
  put_timers
  put_completions
  make_token
  start_service
  say "${version%% (*} is installed: $bin, $config, $state"
}

main() {
  here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
  parse_options "$@"
  case $action in
    install) install_reeve ;;
    uninstall) uninstall_reeve ;;
    try)
      prepare_trial
      exec "$here/packaging/try.sh" "$binary" "$once"
      ;;
  esac
}

main "$@"
