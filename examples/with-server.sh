#!/usr/bin/env bash
# Starts a new `ashlar serve` and runs a command with it: ASHLAR_GATEWAY and ASHLAR_API_KEY tell the command where the server is.
# If ASHLAR_GATEWAY is set already, that server is used and none is started.
set -euo pipefail

if [[ -n ${ASHLAR_GATEWAY:-} ]]; then
  if [[ -n ${ASHLAR_API_KEY:-} ]]; then exec "$@"; fi
  echo "ASHLAR_GATEWAY is set but ASHLAR_API_KEY is not: set it to a key of that server, or unset both" >&2
  exit 2
fi

folder=$(mktemp -d)
ashlar serve --path "$folder/store" --port 0 > "$folder/out" 2> "$folder/log" &
server=$!
stop() {
  kill "$server" 2> /dev/null && wait "$server" || true
  rm -rf "$folder"
}
trap stop EXIT

until grep -q "Ctrl-C stops it" "$folder/out"; do
  kill -0 "$server" 2> /dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
ASHLAR_GATEWAY=$(awk '/^address/ { print $2 }' "$folder/out")
ASHLAR_API_KEY=$(awk '/^credentials/ { print $2 }' "$folder/out")
export ASHLAR_GATEWAY ASHLAR_API_KEY
"$@"
