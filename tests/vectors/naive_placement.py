#!/usr/bin/env python3
"""The naive second implementation of placement format 2, written from README.md alone: whole numbers instead of 32-bit arithmetic, every distance of
every node instead of a search that skips.

What both formats share is naive_ring's. `naive_placement.py write` writes placement.json; `naive_placement.py` compares and exits 1 on a difference.
"""

import gc
import hashlib
import json
import sys
from functools import cache
from pathlib import Path

from naive_ring import CHUNK_IDS, loads, nodes, table_of, token
from naive_ring import layout as ring_layout

PARTITIONS = 65536
WORD = 2**32
LN_2 = 0.6931471805599453
SERIES = [1 / odd for odd in (11, 9, 7, 5, 3, 1)]


def key_of(node_id):
    """Seed and factor of a node: the halves of its first token, the second half made odd."""
    first = token(node_id, 0)
    return first // WORD, first % WORD | 1


def hash_of(seed, factor, partition):
    h = (seed ^ partition) * factor % WORD
    h = (h ^ h >> 16) * 0x85EBCA6B % WORD
    h = (h ^ h >> 13) * 0xC2B2AE35 % WORD
    return h ^ h >> 16


def clock(h):
    """What an exponential clock of weight 1 shows; doubles, in exactly this order."""
    rest, total = 1 - h / WORD, 0.0
    while rest <= 0.5:
        rest, total = rest * 2, total + LN_2
    ratio = (1 - rest) / (1 + rest)
    series = 0.0
    for part in SERIES:
        series = series * ratio * ratio + part
    return total + 2 * ratio * series


@cache
def clocks_of(node_id):
    """A node's clock for every partition, whatever the layout: kept, as nodes of one name are in most layouts."""
    seed, factor = key_of(node_id)
    return [clock(hash_of(seed, factor, p)) for p in range(PARTITIONS)]


def hash_distances(_, live):
    nodes_of_layout = [(s["nodeId"], s["weight"], clocks_of(s["nodeId"])) for s in live]
    return [{i: clocks[p] / weight for i, weight, clocks in nodes_of_layout} for p in range(PARTITIONS)]


def layout(listed, factor=3):
    return {**ring_layout(listed, factor), "placementFormat": 2}


LAYOUTS = {
    "one node": layout(nodes(1)),
    "four nodes": layout(nodes(4)),
    "six nodes": layout(nodes(6)),
    "fifty nodes, one copy": layout(nodes(50), factor=1),
    "weights, one of them 0": layout(nodes(6, weight=lambda i: [1, 2, 0.5, 0, 4, 0.01][i])),
    "six nodes in three zones": layout(nodes(6, zone=lambda i: "abc"[i % 3])),
    "seven nodes in two uneven zones": layout(nodes(7, zone=lambda i: "a" if i < 5 else "b")),
    "six nodes in one zone": layout(nodes(6, zone=lambda i: "a")),
    "some nodes without a zone": layout([{**s, "zone": "a"} if i < 3 else s for i, s in enumerate(nodes(6))], factor=4),
    "chains: zones and weights, five copies": layout(
        nodes(9, zone=lambda i: "dadcdaaca"[i], weight=lambda i: [1, 0.25, 1, 3, 1, 1, 3, 3, 2][i]), factor=5
    ),
    "chains that push many": layout(
        nodes(8, zone=lambda i: "bbbddadc"[i], weight=lambda i: [2.18, 1, 1, 0.25, 0.25, 3.93, 1, 2][i]), factor=5
    ),
}


def vectors():
    for name, plan in LAYOUTS.items():
        rows, moved_count, chain_count = table_of(plan, hash_distances, pushes_more=True)
        keys = [(s["nodeId"], *key_of(s["nodeId"])) for s in plan["nodes"]]
        yield {
            "name": name,
            "layout": plan,
            "hashes": [{"nodeId": i, "partition": p, "hash": hash_of(a, b, p)} for i, a, b in keys for p in (0, 1, 65535)],
            "placements": [{"chunkId": c, "nodes": rows[int(c[:4], 16)]} for c in CHUNK_IDS],
            "loads": loads([s["nodeId"] for s in plan["nodes"]], rows),
            "moved": moved_count,
            "chains": chain_count,
            "tableSha256": hashlib.sha256("".join(",".join(row) + "\n" for row in rows).encode()).hexdigest(),
        }


def main():
    # Nearly all that is made is kept to the end of its layout: looking for what is not costs a sixth of the time.
    gc.disable()
    path = Path(__file__).with_name("placement.json")
    text = json.dumps({"formatVersion": 2, "partitionCount": PARTITIONS, "vectors": list(vectors())}, indent=1) + "\n"
    if sys.argv[1:] == ["write"]:
        path.write_text(text)
    elif path.read_text() != text:
        sys.exit("placement.json differs from what naive_placement.py computes")
    else:
        print(f"placement.json: {len(LAYOUTS)} layouts agree")


if __name__ == "__main__":
    main()
