#!/usr/bin/env bash
# Builds the Dockerfile and tries the image on a machine without Docker engine and image registry: as root on Debian, with buildah and
# debootstrap (apt-get install buildah debootstrap), in chroot isolation. The base images are not the published ones: they are made here from
# Debian's packages and the pinned Node, under the names that the Dockerfile expects.
#
#   containers/try-image.sh            builds, tries, prints times and sizes; takes a few minutes the first time, less than one later
#
# Its state is in ASHLAR_IMAGE_CACHE (default node_modules/.cache/image): base system and image storage, a few GB. When done, unmount what
# `mount` shows below it, and remove it.
# The build can read NPMRC (default ~/.npmrc) and the machine's CA certificates, but they do not get into the image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CACHE=${ASHLAR_IMAGE_CACHE:-$PWD/node_modules/.cache/image}
NPMRC=${NPMRC:-$HOME/.npmrc}
CA_FILE=/etc/ssl/certs/ca-certificates.crt
NODE_VERSION=$(sed -n 's/^ARG NODE_VERSION=//p' Dockerfile)
IMAGE=localhost/ashlar:try
mkdir -p "$CACHE"
exec 9> "$CACHE/lock" && flock 9

# A separate storage: the machine's images stay as they are. Overlay if the file system supports it, otherwise whole copies.
storage() { buildah --root "$CACHE/storage-$DRIVER" --runroot "$CACHE/run-$DRIVER" --storage-driver "$DRIVER" "$@"; }
DRIVER=overlay
storage images > /dev/null 2>&1 || DRIVER=vfs

image_exists() { storage inspect --type image "$1" > /dev/null 2>&1; }
say() { printf '%s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
timed() {
  local name=$1 started=$SECONDS
  shift
  "$@" > "$CACHE/$name.log" 2>&1 || { tail -n 40 "$CACHE/$name.log" >&2; fail "$name, see $CACHE/$name.log"; }
  say "$name: $((SECONDS - started)) s"
}

# As small as debian:bookworm-slim, which leaves out the same files.
base_system() {
  local root=$CACHE/rootfs
  if [[ ! -e $root.done ]]; then
    rm -rf "$root"
    debootstrap --variant=minbase bookworm "$root"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/{doc,man,info,locale,lintian}/*
    touch "$root.done"
  fi
  image_exists localhost/debian:bookworm-slim && return 0
  local container
  container=$(storage from scratch)
  storage copy -q "$container" "$root" / > /dev/null
  storage config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd bash "$container"
  storage commit -q --rm "$container" localhost/debian:bookworm-slim
}

# node:<version>-bookworm-slim has Node and npm; here npm comes from this machine.
node_system() {
  local node=node_modules/node/bin/node container npm image=localhost/node:$NODE_VERSION-bookworm-slim
  # If it were made again, it would be another image, and the cache would have nothing that is built on it.
  image_exists "$image" && return 0
  npm=$(dirname "$(dirname "$(realpath "$(command -v npm)")")")
  [[ $("$node" --version) == "v$NODE_VERSION" ]] || fail "the Dockerfile wants Node $NODE_VERSION, installed is $("$node" --version)"
  container=$(storage from --pull-never localhost/debian:bookworm-slim)
  storage copy -q "$container" "$(realpath "$node")" /usr/local/bin/node > /dev/null
  storage copy -q "$container" "$npm" /usr/local/lib/node_modules/npm > /dev/null
  storage run --isolation chroot "$container" -- sh -c 'cd /usr/local/bin && ln -s ../lib/node_modules/npm/bin/npm-cli.js npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js npx && npm --version'
  # A proxy that opens this machine's TLS is trusted while building; the last stage is not based on this image.
  [[ -r $CA_FILE ]] && storage config --env "NODE_EXTRA_CA_CERTS=$CA_FILE" "$container"
  storage commit -q --rm "$container" "$image"
}

build_image() {
  local lent=()
  [[ -r $NPMRC ]] && lent+=(--secret "id=npmrc,src=$NPMRC")
  [[ -r $CA_FILE ]] && lent+=(--volume "$CA_FILE:$CA_FILE:ro")
  storage bud --isolation chroot --pull-never --layers --format docker "${lent[@]}" --tag "$IMAGE" .
}

timed base-system base_system
timed node-system node_system
timed build build_image

# --- what the image is

inspect() { storage inspect --type image --format "$1" "$IMAGE"; }
[[ $(inspect '{{.Docker.Config.User}}') == ashlar ]] || fail "the image runs as $(inspect '{{.Docker.Config.User}}')"
[[ $(inspect '{{.Docker.Config.StopSignal}}') == SIGTERM ]] || fail "no stop signal"
say "entry: $(inspect '{{.Docker.Config.Entrypoint}} {{.Docker.Config.Cmd}}'), health: $(inspect '{{.Docker.Config.Healthcheck.Test}}')"

rm -rf "$CACHE/oci"
timed compress storage push -q "$IMAGE" "oci:$CACHE/oci:try"
node - "$CACHE/oci" <<'JS'
const { readFileSync } = require("node:fs");
const { gunzipSync } = require("node:zlib");
const folder = process.argv[2];
const blob = (digest) => readFileSync(`${folder}/blobs/${digest.replace(":", "/")}`);
const [{ digest }] = JSON.parse(readFileSync(`${folder}/index.json`, "utf8")).manifests;
const layers = JSON.parse(blob(digest)).layers.map((layer) => ({ packed: layer.size, plain: gunzipSync(blob(layer.digest)).length }));
const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const sum = (list, key) => mb(list.reduce((total, layer) => total + layer[key], 0));
for (const layer of layers) if (layer.plain > 1e5) console.log(`  layer ${mb(layer.plain)}, compressed ${mb(layer.packed)}`);
console.log(`size: ${sum(layers, "plain")}, compressed ${sum(layers, "packed")}; added to the base: ${sum(layers.slice(1), "plain")}, compressed ${sum(layers.slice(1), "packed")}`);
JS

# --- what the image does

CONTAINER=$(storage from --pull-never "$IMAGE")
SERVER=
cleanup() {
  [[ -z $SERVER ]] || kill "$SERVER" 2> /dev/null || true
  storage rm "$CONTAINER" > /dev/null 2>&1 || true
}
trap cleanup EXIT

PORT=$(node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
OUT=$CACHE/serve.out LOG=$CACHE/serve.log
inside() { storage run --isolation chroot --env "PORT=$PORT" "$CONTAINER" -- "$@"; }

[[ $(inside id -u) == 10001 ]] || fail "it runs as root"
inside sh -c 'command -v npm' > /dev/null 2>&1 && fail "npm is in the image"
inside grep -rlI -e _authToken -e registry= /opt/ashlar --include=.npmrc > /dev/null 2>&1 && fail "an .npmrc is in the image"
inside sh -c 'touch /opt/ashlar/written' > /dev/null 2>&1 && fail "the server may change its own programs"
inside node /opt/ashlar/healthcheck.mjs > /dev/null 2>&1 && fail "healthy before it runs"
say "version: $(inside ashlar --version), Node $(inside node --version)"

started=$SECONDS
# Entry point and arguments as in the image, and JSON to read the key from.
rm -f "$OUT"
inside ashlar serve --json > "$OUT" 2> "$LOG" &
BUILDAH=$!
until [[ -s $OUT ]]; do
  kill -0 "$BUILDAH" 2> /dev/null || { cat "$LOG" >&2; fail "serve ended"; }
  ((SECONDS - started < 30)) || fail "serve is not ready after 30 s"
  sleep 0.1
done
descendants() { for child in $(pgrep -P "$1"); do echo "$child"; descendants "$child"; done; }
for process in $(descendants "$BUILDAH"); do
  if [[ $(awk '/^Uid:/ { print $2 }' "/proc/$process/status") == 10001 ]]; then SERVER=$process; fi
done
[[ -n $SERVER ]] || fail "the server does not run as the image's user"
inside node /opt/ashlar/healthcheck.mjs || fail "not healthy"

KEY=$(node -p 'JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8").split("\n")[0]).apiKey' "$OUT")
SUM=$(head -c 20000000 /dev/urandom | tee "$CACHE/random.bin" | sha256sum)
[[ $(storage run --isolation chroot --env "ASHLAR_API_KEY=$KEY" --env "ASHLAR_GATEWAY=http://127.0.0.1:$PORT" "$CONTAINER" -- \
  sh -c 'ashlar mb box --quiet && ashlar put /opt/ashlar/LICENSE box/licence --quiet && ashlar get box/licence - | sha256sum') \
  == $(sha256sum < LICENSE) ]] || fail "put and get from inside"
curl --silent --show-error --fail --header "authorization: Bearer $KEY" --upload-file "$CACHE/random.bin" "http://127.0.0.1:$PORT/objects/box/random" > /dev/null
[[ $(curl --silent --show-error --fail --header "authorization: Bearer $KEY" "http://127.0.0.1:$PORT/objects/box/random" | sha256sum) == "$SUM" ]] \
  || fail "put and get from outside"
say "put and get: ok, from inside with ashlar and from outside with curl"

stopping=$(date +%s%N)
kill -TERM "$SERVER" && SERVER=
code=0 && wait "$BUILDAH" || code=$?
[[ $code == 0 ]] || { cat "$LOG" >&2; fail "exit code $code after SIGTERM"; }
grep -q '"stopped"' "$LOG" || fail "it did not stop in order"
say "SIGTERM: exit code 0 after $((($(date +%s%N) - stopping) / 1000000)) ms"
say "1 passed, 0 failed"
