#!/usr/bin/env bash
# start.sh [node|python]: starts a server and runs that client.
set -euo pipefail

case ${1:-node} in
  node)
    bash ../with-server.sh node client.ts
    ;;
  python)
    # The first time, the requirements are installed into a virtual environment here. PYTHON names a Python that has them already.
    python=${PYTHON:-.venv/bin/python}
    if [[ ! -x $python ]]; then
      python3 -m venv .venv
      .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
    fi
    bash ../with-server.sh "$python" client.py
    ;;
  *)
    echo "usage: start.sh [node|python]" >&2
    exit 2
    ;;
esac
