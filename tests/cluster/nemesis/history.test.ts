import { describe, expect, test } from "vitest";
import { createContents } from "./contents.ts";
import { ABSENT, CounterHistory, GARBLED, KeyHistory } from "./history.ts";

const WHERE = "a read";

/** A key with two acknowledged writes. */
function written(): KeyHistory {
  const history = new KeyHistory("key");
  for (const value of [1, 2]) {
    history.begin(value);
    history.end("acknowledged");
  }
  return history;
}

const read = (history: KeyHistory, found: number): string | undefined =>
  history.endRead(history.beginRead(), found, WHERE)?.kind;

describe("the history of a key", () => {
  test("lets the last acknowledged write pass, and nothing else", () => {
    const history = written();
    expect(read(history, 2)).toBeUndefined();
    expect(read(history, 1)).toBe("lost");
    expect(read(history, ABSENT)).toBe("lost");
    history.trail.push("a put");
    expect(history.endRead(history.beginRead(), 1, WHERE)).toEqual({
      ...{ kind: "lost", key: "key", where: WHERE, trail: ["a put"] },
      ...{ expected: "write 2", found: "write 1, which was replaced or deleted" },
    });
  });

  test("notices one wrong byte", () => {
    const contents = createContents(1);
    const history = written();
    const bytes = contents.bytesOf(2);
    expect(contents.identify(bytes, history.attempted())).toBe(2);
    bytes[bytes.byteLength - 1]! ^= 1;
    expect(contents.identify(bytes, history.attempted())).toBe(GARBLED);
    expect(read(history, GARBLED)).toBe("wrong");
  });

  test("notices a deleted object that is back", () => {
    const history = written();
    history.begin(ABSENT);
    history.end("acknowledged");
    expect(read(history, ABSENT)).toBeUndefined();
    expect(read(history, 2)).toBe("wrong");
  });

  test("notices a write that was refused and happened all the same", () => {
    const history = written();
    history.begin(3);
    history.end("refused");
    expect(read(history, 2)).toBeUndefined();
    expect(read(history, 3)).toBe("wrong");
  });

  test("lets a write of unknown outcome pass or not, also after later writes", () => {
    const history = written();
    history.begin(3);
    history.end("unknown");
    expect([read(history, 2), read(history, 3), read(history, 1)]).toEqual([undefined, undefined, "lost"]);
    history.begin(4);
    history.end("acknowledged");
    expect([read(history, 4), read(history, 3), read(history, 2)]).toEqual([undefined, undefined, "lost"]);
    history.narrow(4);
    expect(read(history, 3)).toBe("lost");
  });

  test("lets a read find what was written while it ran", () => {
    const history = written();
    const begun = history.beginRead();
    history.begin(3);
    history.end("acknowledged");
    expect(history.endRead(begun, 2, WHERE)).toBeUndefined();
    expect(history.endRead(begun, 3, WHERE)).toBeUndefined();
    expect(history.endRead(begun, 1, WHERE)?.kind).toBe("lost");
    expect(read(history, 2)).toBe("lost");
  });

  test("takes one write of a key at a time", () => {
    const history = written();
    history.begin(3);
    expect(() => history.begin(4)).toThrow("two writes of key at once");
  });
});

describe("the history of a counter", () => {
  test("notices a number that two writers got, one that went back, and one that nobody wrote", () => {
    const history = new CounterHistory("count");
    expect(history.end(1, "acknowledged")).toBeUndefined();
    expect(history.end(2, "unknown")).toBeUndefined();
    expect(history.end(2, "acknowledged")).toBeUndefined();
    expect(history.end(2, "acknowledged")?.kind).toBe("lost");
    expect(history.endRead(2, 1, WHERE)?.kind).toBe("lost");
    expect(history.endRead(2, undefined, WHERE)?.kind).toBe("lost");
    expect(history.endAll(2, WHERE)).toBeUndefined();
    expect(history.endAll(1, WHERE)?.kind).toBe("lost");
    expect(history.endAll(4, WHERE)?.kind).toBe("wrong");
  });
});
