#!/bin/sh
# Runs the end-to-end suite against the gateway at ASHLAR_TEST_URL. The API key is ASHLAR_TEST_KEY, or is made in the database of DATABASE_URL.
set -eu
cd "$(dirname "$0")/.."
: "${ASHLAR_TEST_URL:?the URL of a gateway, for instance http://127.0.0.1:9000}"
if [ -z "${ASHLAR_TEST_KEY:-}" ]; then
  ASHLAR_TEST_KEY=$(node --conditions=ashlar-source packages/server/src/cli/main.ts key create --name end-to-end --role admin)
  export ASHLAR_TEST_KEY
fi
exec node_modules/.bin/vitest run --project integration tests/containers/end-to-end.test.ts
