#!/usr/bin/env bash
# Backs a folder up three times, once with a tar that fails, and compares what comes back.
# The store is a folder of this run, unless ASHLAR_PATH or ASHLAR_GATEWAY names another.
set -euo pipefail

here=$PWD
work=$(mktemp -d) && cd "$work" && trap 'rm -rf "$work"' EXIT
if [[ -z ${ASHLAR_PATH:-}${ASHLAR_GATEWAY:-} ]]; then export ASHLAR_PATH=$work/store; fi
backup() { bash "$here/backup.sh" "$@"; }

mkdir photos
for name in b c d e; do head -c 3000000 /dev/urandom > "photos/$name.jpg"; done

echo "first backup:"
backup backups/monday.tar photos

echo "again, after one photo came last:"
head -c 3000000 /dev/urandom > photos/f.jpg
backup backups/tuesday.tar photos

echo "again, after one photo came first:"
head -c 3000000 /dev/urandom > photos/a.jpg
backup backups/wednesday.tar photos

echo "with a tar that fails:"
backup backups/thursday.tar photos no-such-folder 2> errors || echo "failed, as it must"

echo "the store has:"
ashlar ls backups/

bash "$here/restore.sh" backups/wednesday.tar restored
diff -r photos restored/photos && echo "restored: no difference"
