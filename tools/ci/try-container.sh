#!/usr/bin/env bash
# Starts one container of an image with Docker: healthy, not root, put and get, SIGTERM. containers/try-image.sh does the same without Docker.
set -euo pipefail
image=${1:?the image, for instance ashlar:latest}
container=$(docker run --detach --read-only --tmpfs /tmp --cap-drop ALL --publish 127.0.0.1::9000 "$image" serve --json)
trap 'docker rm --force --volumes "$container" > /dev/null' EXIT
fail() { printf 'FAILED: %s\n' "$*" >&2 && docker logs "$container" >&2 && exit 1; }

for ((try = 0; ; try++)); do
  health=$(docker inspect --format '{{.State.Health.Status}}' "$container")
  [[ $health == healthy ]] && break
  ((try < 60)) || fail "it is $health"
  sleep 1
done
[[ $(docker exec "$container" id -u) != 0 ]] || fail "it runs as root"

key=$(docker logs "$container" 2> /dev/null | head -n 1 | jq -r .apiKey)
url=http://$(docker port "$container" 9000/tcp | head -n 1)/objects/box
request() { curl --silent --show-error --fail --header "authorization: Bearer $key" "$@"; }
request --request PUT "$url" > /dev/null
sum=$(head -c 20000000 /dev/urandom | tee random.bin | sha256sum)
request --upload-file random.bin "$url/random" > /dev/null
[[ $(request "$url/random" | sha256sum) == "$sum" ]] || fail "what came back is something else"
rm random.bin

docker stop "$container" > /dev/null
code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
[[ $code == 0 ]] || fail "exit code $code after SIGTERM"
printf 'healthy, not root, put and get, stopped in order\n'
