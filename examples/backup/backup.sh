#!/usr/bin/env bash
# backup.sh <bucket/key> <folder>...: packs folders into one object, without a file in between.
set -euo pipefail

target=$1 partial=$1.partial
shift

# put stores what it reads, and cannot know that tar failed. So it writes under another name, and cp
# gives the backup its name only after both have succeeded. cp moves no bytes.
trap 'ashlar rm --force --quiet "$partial"' EXIT
tar --create --sort=name "$@" | ashlar put - "$partial" --create-bucket --chunk-bytes 64KiB
ashlar cp --quiet "$partial" "$target"
