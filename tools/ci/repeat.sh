#!/usr/bin/env bash
# Runs a command COUNT times, stops at the first failure and prints its number: tools/ci/repeat.sh 20 npm test -- tests/concurrency
set -uo pipefail
count=${1:?how often}
shift
for ((try = 1; try <= count; try++)); do
  "$@" || { code=$? && printf 'failed at try %d of %d\n' "$try" "$count" >&2 && exit "$code"; }
done
printf 'passed %d times\n' "$count"
