#!/usr/bin/env bash
# Installs what tests need and npm's lockfile lacks; .ci/run and the workflows call it. Each part is quick if it is installed already.
#
#   tools/ci/prepare.sh [system] [python] [nodes]     default: all
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

CACHE=node_modules/.cache
# The oldest Node that the packages promise (package.json, "engines"), and the newest line; the workspace's own is between them.
NODES=(22.20.0 26.10.0)
mkdir -p "$CACHE"

as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi; }

system() {
  local missing=()
  python3 -c 'import venv, ensurepip' 2> /dev/null || missing+=(python3 python3-venv)
  for program in curl jq tar; do type -P "$program" > /dev/null || missing+=("$program"); done
  # The same places as tests/support/chromium.ts.
  [[ -n ${CHROMIUM:-} || -x /usr/bin/chromium || -x /usr/bin/chromium-browser || -x /usr/bin/google-chrome ]] || missing+=(chromium)
  ((${#missing[@]} == 0)) && return 0
  as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# A gRPC client that is not ours, for tests/third-party and examples/third-party-grpc.
python() {
  local venv="$CACHE/venv" requirements=examples/third-party-grpc/requirements.txt
  if cmp -s "$requirements" "$venv/requirements.txt"; then return 0; fi
  rm -rf "$venv" && python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
  cp "$requirements" "$venv/requirements.txt"
}

# Other lines of Node, for tests/package. The npm package "node" holds the program.
nodes() {
  local version folder
  for version in "${NODES[@]}"; do
    folder="$CACHE/nodes/${version%%.*}"
    if [[ $("$folder/node_modules/node/bin/node" --version 2> /dev/null) == "v$version" ]]; then continue; fi
    rm -rf "$folder" && mkdir -p "$folder"
    npm install --prefix "$folder" --no-save --no-fund --no-audit --silent "node@$version"
    "$folder/node_modules/node/bin/node" --version
  done
}

if (($# == 0)); then set -- system python nodes; fi
for part in "$@"; do
  case $part in
    system | python | nodes) "$part" ;;
    *) printf 'no such part: %s\n' "$part" >&2 && exit 2 ;;
  esac
done
