#!/usr/bin/env bash
# Builds the Dockerfile and tries the image where there is no Docker engine and no way to an image registry: as root on Debian, with
# buildah and debootstrap (apt-get install buildah debootstrap), in chroot isolation. Nothing but the kernel is shared with the real thing:
# the base images are made here from Debian's packages and the pinned Node, under the names that the Dockerfile expects.
#
#   containers/try-image.sh            builds, tries, prints times and sizes; about 3 minutes the first time
#
# State lies in ASHLAR_IMAGE_CACHE (default node_modules/.cache/image): base system and image storage, a few GB; remove it when done.
# NPMRC (default ~/.npmrc) and the machine's CA certificates are lent to the build, and do not get into the image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CACHE=${ASHLAR_IMAGE_CACHE:-$PWD/node_modules/.cache/image}
NPMRC=${NPMRC:-$HOME/.npmrc}
CA_FILE=/etc/ssl/certs/ca-certificates.crt
NODE_VERSION=$(sed -n 's/^ARG NODE_VERSION=//p' Dockerfile)
IMAGE=localhost/ashlar:try
mkdir -p "$CACHE"
exec 9> "$CACHE/lock" && flock 9

# Storage of our own: the machine's images are left alone. Overlay where the file system can, else whole copies.
storage() { buildah --root "$CACHE/storage-$DRIVER" --runroot "$CACHE/run-$DRIVER" --storage-driver "$DRIVER" "$@"; }
DRIVER=overlay
storage images > /dev/null 2>&1 || DRIVER=vfs

say() { printf '%s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
timed() {
  local name=$1 started=$SECONDS
  shift
  "$@" > "$CACHE/$name.log" 2>&1 || { tail -n 40 "$CACHE/$name.log" >&2; fail "$name, see $CACHE/$name.log"; }
  say "$name: $((SECONDS - started)) s"
}

# As small as debian:bookworm-slim, which leaves out the same.
base_system() {
  local root=$CACHE/rootfs
  if [[ ! -e $root.done ]]; then
    rm -rf "$root"
    debootstrap --variant=minbase bookworm "$root"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/{doc,man,info,locale,lintian}/*
    touch "$root.done"
  fi
  storage image exists localhost/debian:bookworm-slim 2> /dev/null && return 0
  local container
  container=$(storage from scratch)
  storage copy -q "$container" "$root" / > /dev/null
  storage config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd bash "$container"
  storage commit -q --rm "$container" localhost/debian:bookworm-slim
}

# node:<version>-bookworm-slim has Node and npm; here npm is this machine's.
node_system() {
  local node=node_modules/node/bin/node container npm
  npm=$(dirname "$(dirname "$(realpath "$(command -v npm)")")")
  [[ $("$node" --version) == "v$NODE_VERSION" ]] || fail "the Dockerfile wants Node $NODE_VERSION, installed is $("$node" --version)"
  container=$(storage from --pull-never localhost/debian:bookworm-slim)
  storage copy -q "$container" "$(realpath "$node")" /usr/local/bin/node > /dev/null
  storage copy -q "$container" "$npm" /usr/local/lib/node_modules/npm > /dev/null
  storage run --isolation chroot "$container" -- sh -c 'cd /usr/local/bin && ln -s ../lib/node_modules/npm/bin/npm-cli.js npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js npx && npm --version'
  # Whoever looks into this machine's TLS is believed while building; the last stage does not descend from this image.
  [[ -r $CA_FILE ]] && storage config --env "NODE_EXTRA_CA_CERTS=$CA_FILE" "$container"
  storage commit -q --rm "$container" "localhost/node:$NODE_VERSION-bookworm-slim"
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
