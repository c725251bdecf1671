#!/usr/bin/env bash
# start.sh [node|python]: runs that client beside a server.
set -euo pipefail

case ${1:-node} in
  node)
    bash ../with-server.sh node client.ts
    ;;
  python)
    # The first time, the requirements go into a virtual environment of its own; PYTHON names a Python that has them already.
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
