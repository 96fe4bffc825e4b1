#!/bin/sh
# try.sh BINARY [once]: runs every job once on this host out of a throw-away directory, shows the report, then
# serves the status API and page until Ctrl-C. Called by install.sh --try. Leaves nothing behind.
set -eu
reeve=$1 once=${2:-no} child=''

runtime=${XDG_RUNTIME_DIR:-}
if [ ! -w "$runtime" ]; then runtime=${TMPDIR:-/tmp}; fi
directory=$(mktemp -d "$runtime/reeve-try.XXXXXX")

leave() {
  trap '' INT TERM HUP
  if [ -n "$child" ]; then
    kill "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  rm -rf "$directory"
}
trap leave EXIT
trap 'exit 130' INT TERM HUP

# attend COMMAND…: in the background, so that a signal to this script reaches it at once. Sets code.
attend() {
  code=0
  "$@" &
  child=$!
  wait "$child" || code=$?
  child=''
}

serve() {
  "$reeve" daemon 2>"$directory/daemon.log" &
  child=$!
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    url=$(sed -n 's/.*"message":"started".*"url":"\([^"]*\)".*/\1/p' "$directory/daemon.log")
    if [ -n "$url" ]; then return 0; fi
    if ! kill -0 "$child" 2>/dev/null; then
      child=''
      return 1
    fi
    sleep 0.5
  done
  return 1
}

"$reeve" init --try "$directory" >/dev/null
export REEVE_CONFIG="$directory/reeve.yaml"
unset REEVE_STATE_DIR

printf 'Running every job once on this host; all that they write stays in %s\n\n' "$directory"
attend "$reeve" run --all
worst=$code
if [ "$worst" -eq 2 ]; then exit 2; fi
printf '\n'
attend "$reeve" findings
if [ "$once" = yes ]; then exit "$worst"; fi

if ! serve; then
  # 7338 is taken: any free one will do.
  sed -i 's/^api:$/api:\n  listen: 127.0.0.1:0/' "$REEVE_CONFIG"
  serve || {
    cat "$directory/daemon.log" >&2
    exit 1
  }
fi
token=$("$reeve" token new try --scope operate 2>/dev/null)
cat <<END

The page, to sign in with the token $token:
  $url/
The API:
  curl $url/v1/status
  curl -H 'Authorization: Bearer $token' $url/v1/findings
The backup of reeve's own state, opened with nothing of reeve:
  gpg --batch --pinentry-mode loopback --passphrase-file $directory/backup.passphrase -d $directory/backups/*.gpg | zstd -dc | tar -tv
The command line:
  REEVE_CONFIG=$REEVE_CONFIG $reeve status

Ctrl-C ends it and removes $directory
END
wait "$child"
