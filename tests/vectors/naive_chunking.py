#!/usr/bin/env python3
"""Lengths of the chunks of a body, computed without a buffer. `naive_chunking.py write` writes chunking.json; without it compares."""

import json
import sys
from itertools import groupby
from pathlib import Path

MIB = 2**20


def fixed(size, total):
    return [size] * (total // size) + ([total % size] if total % size else [])


def by_count(count, total):
    # The longer chunks come first: chunk i ends here.
    ends = [i * (total // count) + min(i, total % count) for i in range(count + 1)]
    return [b - a for a, b in zip(ends, ends[1:]) if b > a]


FIXED = [(size, total) for size in (65536, 65537, MIB, 4 * MIB) for total in (0, 1, size - 1, size, size + 1, 3 * size, 3 * size + 5)]
BY_COUNT = [(count, total) for count in (1, 2, 6, 7) for total in (0, 1, 5, 6, 7, 100, 65536, MIB + 1, 10 * MIB + 3)]


def case(kind, argument, lengths, total):
    return {"chunker": kind, "argument": argument, "totalBytes": total, "runs": [[n, len(list(g))] for n, g in groupby(lengths)]}


def main():
    cases = [case("fixed", s, fixed(s, t), t) for s, t in FIXED] + [case("byCount", c, by_count(c, t), t) for c, t in BY_COUNT]
    text = json.dumps({"formatVersion": 1, "cases": "@"}, indent=1).replace('"@"', "[\n  " + ",\n  ".join(map(json.dumps, cases)) + "\n ]") + "\n"
    path = Path(__file__).with_name("chunking.json")
    if sys.argv[1:] == ["write"]:
        path.write_text(text)
    elif path.read_text() != text:
        sys.exit("chunking.json differs from what naive_chunking.py computes")
    else:
        print(f"chunking.json: {len(cases)} cases agree")


if __name__ == "__main__":
    main()
