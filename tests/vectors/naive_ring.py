#!/usr/bin/env python3
"""The naive second implementation of ring and placement: slow, exact, and written from README.md alone.

It shares neither code nor methods with packages/sdk/src/ring: whole numbers instead of doubles, fractions instead of bisection,
plain searches instead of sweeps. `naive_ring.py write` writes ring.json; `naive_ring.py` compares and exits 1 on a difference.
"""

import hashlib
import json
import math
import sys
from bisect import bisect_left
from collections import Counter
from fractions import Fraction
from operator import itemgetter
from pathlib import Path

PARTITIONS = 4096
TURN = 2**64
SLICE = TURN // PARTITIONS
TINY = Fraction(1, 10**6)


def token(node_id, index):
    return int.from_bytes(hashlib.sha256(f"{node_id}#{index}".encode()).digest()[:8], "big")


def virtual_nodes(layout, node):
    if node["weight"] == 0:
        return 0
    return max(1, math.floor(layout["virtualNodesPerNode"] * node["weight"] + 0.5))


def zone_of(node):
    return ("zone", node["zone"]) if "zone" in node else ("alone", node["nodeId"])


def distance_of(tokens, partition):
    """Units of 2^11 from the start of the partition, clockwise, to the nearest of one node's tokens: ascending, in such units."""
    start = partition * SLICE // 2**11
    after = bisect_left(tokens, start)
    return tokens[after] - start if after < len(tokens) else tokens[0] + 2**53 - start


def spread(near_first, zones, count):
    """Deals out the zones in rounds; within a round the nearest node of each zone, nearest first."""
    dealt, nodes_of_zone = [], {}
    for node_id in near_first:
        zone = zones[node_id]
        nodes_of_zone[zone] = round_number = nodes_of_zone.get(zone, 0) + 1
        dealt.append((round_number, node_id))
    # The sort is stable: within a round the nearest stays first.
    return [node_id for _, node_id in sorted(dealt, key=itemgetter(0))[:count]]


def level_fill(total, weights, least, most):
    """Clamps level * weight between least and most so that the sum is total: tries every interval between two clamping points."""
    points = sorted({Fraction(bound) / w for w, lo, hi in zip(weights, least, most) for bound in (lo, hi)})
    clamp = lambda level: [min(Fraction(hi), max(Fraction(lo), level * w)) for w, lo, hi in zip(weights, least, most)]
    below = max((p for p in points if sum(clamp(p)) <= total), default=Fraction(0))
    missing = total - sum(clamp(below))
    if missing == 0:
        return clamp(below)
    rising = sum(w for w, lo, hi in zip(weights, least, most) if lo <= below * w < hi)
    return clamp(below + missing / rising)


def fair_shares(live, count):
    zones = {}
    for node in live:
        zones.setdefault(zone_of(node), []).append(node)
    rounds = max(r for r in range(count + 1) if sum(min(len(z), r) for z in zones.values()) <= count)
    weight = lambda node: Fraction(node["weight"])
    per_zone = level_fill(
        Fraction(count),
        [sum(map(weight, z)) for z in zones.values()],
        [min(len(z), rounds) for z in zones.values()],
        [min(len(z), rounds + 1) for z in zones.values()],
    )
    shares = {}
    for members, total in zip(zones.values(), per_zone):
        split = level_fill(total, [weight(s) for s in members], [0] * len(members), [1] * len(members))
        shares.update(zip((s["nodeId"] for s in members), split))
    return shares


def loads(ids, rows):
    """How many partitions each node has, 0 included."""
    counts = Counter(i for row in rows for i in row)
    return {i: counts[i] for i in ids}


def ring_distances(layout, live):
    """The distances of placement format 1: of every partition from each node."""
    tokens = {s["nodeId"]: sorted(token(s["nodeId"], i) // 2**11 for i in range(virtual_nodes(layout, s))) for s in live}
    return [{i: distance_of(tokens[i], p) for i in tokens} for p in range(PARTITIONS)]


def table_of(layout, distances_of=ring_distances, pushes_more=False):
    """Returns the nodes of every partition, and how many replicas step 3 moved and how many chains step 4 needed."""
    live = sorted((s for s in layout["nodes"] if s["weight"] > 0), key=lambda s: s["nodeId"])
    ids = [s["nodeId"] for s in live]
    zones = {s["nodeId"]: zone_of(s) for s in live}
    count = min(layout["replicationFactor"], len(live))
    far = distances_of(layout, live)
    partitions = range(len(far))
    # Ids ascend and the sort is stable: at equal distances the smaller id is first.
    near_first = [sorted(ids, key=row.__getitem__) for row in far]
    rows = [set(spread(near_first[p], zones, count)) for p in partitions]
    fair = {i: share * len(far) for i, share in fair_shares(live, count).items()}
    bound = {i: min(len(far), max(math.ceil(f - TINY), math.floor(f * Fraction(21, 20) + TINY))) for i, f in fair.items()}
    load = loads(ids, rows)

    def held_far_first(i):
        return sorted((p for p in partitions if i in rows[p]), key=lambda p: (-far[p][i], p))

    def may_move(p, a, b):
        in_zone = lambda z: sum(zones[i] == z for i in rows[p])
        return b not in rows[p] and (zones[a] == zones[b] or in_zone(zones[b]) < in_zone(zones[a]))

    def move(p, a, b):
        rows[p] = (rows[p] - {a}) | {b}
        load[a] -= 1
        load[b] += 1

    moved_count = 0
    for a in ids:
        for p in held_far_first(a) if load[a] > bound[a] else []:
            if load[a] <= bound[a]:
                break
            target = next((b for b in near_first[p] if load[b] < bound[b] and may_move(p, a, b)), None)
            if target is not None:
                move(p, a, target)
                moved_count += 1

    def find_chain(first):
        chains, touched, waiting = {first: []}, set(), [first]
        while waiting:
            a = waiting.pop(0)
            found = {}
            held = [p for p in held_far_first(a) if p not in touched]
            for b in ids:
                if b not in chains:
                    p = next((p for p in held if may_move(p, a, b)), None)
                    if p is not None:
                        found[b] = p
            for b, p in found.items():
                touched.add(p)
                chains[b] = chains[a] + [(p, a, b)]
                if load[b] < bound[b]:
                    return chains[b]
                waiting.append(b)
        return None

    chain_count = 0
    for a in ids:
        while load[a] > bound[a] and (chain := find_chain(a)):
            chain_count += 1
            for step in chain:
                move(*step)
            most = min(load[a] - bound[a], bound[chain[-1][2]] - load[chain[-1][2]]) if pushes_more else 0
            for _, b, c in reversed(chain):
                moved = 0
                for p in held_far_first(b) if most > 0 else []:
                    if moved < most and may_move(p, b, c):
                        move(p, b, c)
                        moved += 1
                most = moved
    return [spread([i for i in near_first[p] if i in rows[p]], zones, count) for p in partitions], moved_count, chain_count


def nodes(count, **fields):
    return [{"nodeId": f"node-{i + 1}", "weight": 1, **{k: v(i) for k, v in fields.items()}} for i in range(count)]


def layout(listed, factor=3, virtual=150):
    return {"layoutVersion": 1, "replicationFactor": factor, "virtualNodesPerNode": virtual, "nodes": sorted(listed, key=lambda s: s["nodeId"])}


LAYOUTS = {
    "one node": layout(nodes(1)),
    "two nodes": layout(nodes(2)),
    "three nodes": layout(nodes(3)),
    "six nodes": layout(nodes(6)),
    "six nodes, one copy": layout(nodes(6), factor=1),
    "ten nodes": layout(nodes(10)),
    "ten nodes, seven copies": layout(nodes(10), factor=7),
    "thirty nodes, twenty virtual nodes": layout(nodes(30), virtual=20),
    "weights, one of them 0": layout(nodes(6, weight=lambda i: [1, 2, 0.5, 0, 4, 0.01][i])),
    "weights that halve a virtual node": layout(nodes(4, weight=lambda i: [0.03, 0.05, 0.07, 0.09][i]), factor=2),
    "a node heavier than all others together": layout(nodes(5, weight=lambda i: [20, 1, 1, 1, 1][i])),
    "six nodes in three zones": layout(nodes(6, zone=lambda i: "abc"[i % 3])),
    "seven nodes in two uneven zones": layout(nodes(7, zone=lambda i: "a" if i < 5 else "b")),
    "seven nodes, a zone of one": layout(nodes(7, zone=lambda i: "aaabbbc"[i])),
    "some nodes without a zone": layout(
        [{**s, "zone": "a"} if i < 3 else s for i, s in enumerate(nodes(6))], factor=4
    ),
    "zones and weights, five copies": layout(
        nodes(9, zone=lambda i: "aaabbbbcc"[i], weight=lambda i: [0.2, 3, 1.1, 0.4, 2.5, 0.7, 1, 3.3, 0.1][i]), factor=5, virtual=40
    ),
    "chains: zones and weights, four copies": layout(
        nodes(9, zone=lambda i: "aaaccbcbb"[i], weight=lambda i: [3.44, 3.31, 0.27, 0.07, 2.64, 3.36, 2.05, 2.95, 2.28][i]), factor=4, virtual=40
    ),
    "chains: one virtual node each": layout(nodes(9, zone=lambda i: "edeccacae"[i]), virtual=1),
}
CHUNK_IDS = [hashlib.sha256(f"chunk {i}".encode()).hexdigest() for i in range(12)] + ["00" * 32, "ff" * 32]


def vectors():
    for name, plan in LAYOUTS.items():
        rows, _, chain_count = table_of(plan)
        shown = [(s["nodeId"], i) for s in plan["nodes"] for i in (0, 1, virtual_nodes(plan, s) - 1) if 0 <= i < virtual_nodes(plan, s)]
        yield {
            "name": name,
            "layout": plan,
            "tokens": [{"nodeId": s, "index": i, "token": f"{token(s, i):016x}"} for s, i in sorted(set(shown))],
            "placements": [{"chunkId": c, "nodes": rows[int(c[:3], 16)]} for c in CHUNK_IDS],
            "loads": loads([s["nodeId"] for s in plan["nodes"]], rows),
            "chains": chain_count,
            "tableSha256": hashlib.sha256("".join(",".join(row) + "\n" for row in rows).encode()).hexdigest(),
        }


def main():
    path = Path(__file__).with_name("ring.json")
    text = json.dumps({"formatVersion": 1, "partitionCount": PARTITIONS, "vectors": list(vectors())}, indent=1) + "\n"
    if sys.argv[1:] == ["write"]:
        path.write_text(text)
    elif path.read_text() != text:
        sys.exit("ring.json differs from what naive_ring.py computes")
    else:
        print(f"ring.json: {len(LAYOUTS)} layouts agree")


if __name__ == "__main__":
    main()
