#!/usr/bin/env bash
# The object store with nothing but curl: plain HTTP for objects, Connect's JSON for every other call.
# Needs ASHLAR_GATEWAY and ASHLAR_API_KEY, and jq to check the answers.
set -euo pipefail

url=$ASHLAR_GATEWAY
folder=$(mktemp -d) && cd "$folder" && trap 'rm -rf "$folder"' EXIT

# Every call sends the key. -f fails on an HTTP error, -sS shows only errors.
call() { curl -fsS -H "authorization: Bearer $ASHLAR_API_KEY" "$@"; }
# The HTTP status of a call that may fail; its body goes to ./body.
status() { curl -sS -o body -w '%{http_code}' -H "authorization: Bearer $ASHLAR_API_KEY" "$@"; }
# Prints what was tried; stops the script unless both values are the same.
check() { [[ $2 == "$3" ]] && echo "$1: $2" || { echo "$1: expected $3, got $2" >&2; exit 1; }; }

digest() { sha256sum | cut -d ' ' -f 1; }

head -c 3000000 /dev/urandom > cat.jpg

# Connect JSON: any call of the .proto files is a POST to /<service>/<method>.
rpc() { call -H "content-type: application/json" -d "$2" "$url/ashlar.v1.ObjectService/$1"; }
rpc CreateBucket '{"bucket":"curl-photos"}' > /dev/null
check "buckets" "$(rpc ListBuckets '{}' | jq -r '.buckets[].bucket' | grep '^curl-')" "curl-photos"

# Plain HTTP: -T uploads a file, - from a pipe of any length.
etag=$(call -T cat.jpg -H "content-type: image/jpeg" -H "ashlar-meta-camera: X100" "$url/objects/curl-photos/2026/cat.jpg" | jq -r .info.etag)
date | call -T - "$url/objects/curl-photos/2026/notes/today.txt" > /dev/null

call "$url/objects/curl-photos/2026/cat.jpg" -o copy.jpg
check "same bytes" "$(digest < copy.jpg)" "$(digest < cat.jpg)"
call -r 1000-1999 "$url/objects/curl-photos/2026/cat.jpg" -o part
check "range" "$(digest < part)" "$(tail -c +1001 cat.jpg | head -c 1000 | digest)"

call -I "$url/objects/curl-photos/2026/cat.jpg" | tr -d '\r' > head
check "content type" "$(awk '/^content-type:/ { print $2 }' head)" "image/jpeg"
check "metadata" "$(awk '/^ashlar-meta-camera:/ { print $2 }' head)" "X100"
check "unchanged" "$(status -H "if-none-match: \"$etag\"" "$url/objects/curl-photos/2026/cat.jpg")" "304"
check "no overwrite" "$(status -T cat.jpg -H "if-none-match: *" "$url/objects/curl-photos/2026/cat.jpg")" "412"

list=$(call "$url/objects/curl-photos?prefix=2026/&delimiter=/")
check "objects" "$(jq -r '.objects[].key' <<< "$list")" "2026/cat.jpg"
check "folders" "$(jq -r '.prefixes[]' <<< "$list")" "2026/notes/"

# Errors: an HTTP status, and a JSON body with a code that does not change.
check "missing" "$(status "$url/objects/curl-photos/no-such-key")" "404"
check "its code" "$(jq -r .code body)" "OBJECT_NOT_FOUND"
check "without a key" "$(curl -sS -o body -w '%{http_code}' "$url/objects")" "401"

check "delete" "$(status -X DELETE "$url/objects/curl-photos/2026/cat.jpg")" "204"
check "delete" "$(status -X DELETE "$url/objects/curl-photos/2026/notes/today.txt")" "204"
check "delete bucket" "$(status -X DELETE "$url/objects/curl-photos")" "204"
