#!/usr/bin/env bash
# restore.sh <bucket/key> <folder>: unpacks a backup into a folder.
set -euo pipefail

mkdir -p "$2"
ashlar get "$1" - | tar --extract --directory "$2"
