import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as LIMITS from "../limit-values.ts";
import { byCount, type ChunkCutter, chunkBody, fixed } from "./index.ts";

const CHUNK = LIMITS.CHUNK_MIN_BYTES;
const SEED = 20261124;

/** Bytes in which every position differs from its neighbours, so that a lost or doubled slice shows. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 255);
}

/** A source that records whether it was closed, and hands out views of one reused buffer as streams do. */
function source(
  bytes: Uint8Array,
  lengths: Iterable<number>,
): AsyncIterable<Uint8Array> & { readonly state: { closed: boolean } } {
  const state = { closed: false };
  return {
    state,
    async *[Symbol.asyncIterator]() {
      try {
        let at = 0;
        for (const length of lengths) {
          const pool = bytes.slice(at, at + length);
          at += length;
          yield pool;
          // The slice is valid until the next one is asked for: a chunker that keeps it instead of copying would see zeroes.
          pool.fill(0);
        }
        if (at < bytes.byteLength) yield bytes.slice(at);
      } finally {
        state.closed = true;
      }
    },
  };
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}

describe("chunkBody", () => {
  test("gives back the bytes in exact chunks for any slicing", async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 0, max: 5 * CHUNK }),
      fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 3 * CHUNK })), { maxLength: 40 }),
      fc.constantFrom("fixed", "byCount"),
      async (total, lengths, kind) => {
        const bytes = pattern(total);
        const cutter = kind === "fixed" ? fixed(CHUNK).start(undefined) : byCount(6).start(total);
        const chunks = await collect(chunkBody(source(bytes, lengths), cutter));
        expect(Buffer.compare(joined(chunks), bytes)).toBe(0);
        const whole = await collect(chunkBody(source(bytes, []), kind === "fixed" ? cutter : byCount(6).start(total)));
        expect(chunks.map((chunk) => chunk.byteLength)).toEqual(whole.map((chunk) => chunk.byteLength));
      },
    );
    await fc.assert(property, { seed: SEED, numRuns: 60 });
  });

  test("takes slices of one byte", async () => {
    const bytes = pattern(2 * CHUNK + 1);
    const ones = Array.from({ length: bytes.byteLength }, () => 1);
    const chunks = await collect(chunkBody(source(bytes, ones), fixed(CHUNK).start(undefined)));
    expect(chunks.map((chunk) => chunk.byteLength)).toEqual([CHUNK, CHUNK, 1]);
    expect(Buffer.compare(joined(chunks), bytes)).toBe(0);
  });

  test("cuts a slice of 16 MiB into chunks of 4 MiB", async () => {
    const bytes = pattern((16 * LIMITS.CHUNK_DEFAULT_BYTES) / 4 + 3);
    const chunks = await collect(chunkBody(source(bytes, []), fixed().start(bytes.byteLength)));
    expect(chunks.map((chunk) => chunk.byteLength)).toEqual([4194304, 4194304, 4194304, 4194304, 3]);
    expect(Buffer.compare(joined(chunks), bytes)).toBe(0);
  });

  test("gives each chunk an ArrayBuffer of its own and of its size, also from Node's pooled buffers", async () => {
    async function* pooled(): AsyncGenerator<Uint8Array> {
      for (let index = 0; index < 3000; index++) yield Buffer.from(pattern(100));
    }
    const chunks = await collect(chunkBody(pooled(), fixed(CHUNK).start(undefined)));
    expect(chunks).toHaveLength(5);
    expect(new Set(chunks.map((chunk) => chunk.buffer)).size).toBe(5);
    for (const chunk of chunks) {
      expect([chunk.byteOffset, chunk.buffer.byteLength]).toEqual([0, chunk.byteLength]);
      expect(Buffer.isBuffer(chunk)).toBe(false);
    }
  });

  test("gives a body of one slice in a buffer of just its size, copied once", async () => {
    const slice = pattern(4096);
    const [chunk] = await collect(chunkBody(source(slice, [4096]), fixed(CHUNK).start(undefined)));
    expect(chunk?.buffer.byteLength).toBe(4096);
    expect(chunk?.buffer).not.toBe(slice.buffer);
    expect(chunk).toEqual(slice);
  });

  test("fills used buffers if it is given some, and leaves none of their old bytes in a chunk", async () => {
    const bytes = pattern(9 * CHUNK + 123);
    const used: Uint8Array<ArrayBuffer>[] = [];
    let taken = 0;
    const buffers = {
      take(sizeBytes: number): Uint8Array<ArrayBuffer> | undefined {
        expect(sizeBytes).toBe(CHUNK);
        const buffer = used.pop();
        if (buffer !== undefined) taken++;
        return buffer;
      },
    };
    let at = 0;
    for await (const chunk of chunkBody(
      source(bytes, [10, CHUNK, 5000, 3 * CHUNK]),
      fixed(CHUNK).start(undefined),
      buffers,
    )) {
      expect(Buffer.compare(chunk, bytes.subarray(at, at + chunk.byteLength))).toBe(0);
      at += chunk.byteLength;
      if (chunk.byteLength === CHUNK) used.push(chunk.fill(255));
    }
    expect(at).toBe(bytes.byteLength);
    expect(taken).toBe(9);
  });

  test("does not ask for the next slice before the chunk is taken", async () => {
    let given = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        given++;
        yield new Uint8Array(CHUNK / 4);
      }
    }
    const chunks = chunkBody(endless(), fixed(CHUNK).start(undefined));
    for (let taken = 1; taken <= 5; taken++) {
      await chunks.next();
      expect(given).toBe(taken * 4);
    }
    await chunks.return();
  });

  test("spends little memory on a small body", async () => {
    const seen: number[] = [];
    const cutter: ChunkCutter = {
      maxBytes: 64 * 1024 * 1024,
      cut(buffered) {
        seen.push(buffered.buffer.byteLength);
        return buffered.byteLength;
      },
    };
    await collect(chunkBody(source(pattern(100), [10, 20]), cutter));
    await collect(chunkBody(source(pattern(150_000), [1000]), cutter));
    expect(seen).toEqual([64 * 1024, 150_000]);
  });

  test("gives nothing for an empty body, and skips empty slices", async () => {
    const cutter = fixed(CHUNK).start(undefined);
    expect(await collect(chunkBody(source(pattern(0), []), cutter))).toEqual([]);
    expect(await collect(chunkBody(source(pattern(0), [0, 0]), cutter))).toEqual([]);
  });

  test("asks a chunker again until it has cut all that was buffered", async () => {
    // Content-defined chunkers cut anywhere: here after every byte that divides by 7, at 50 bytes at most.
    const cutter: ChunkCutter = {
      maxBytes: 50,
      cut(buffered, ended) {
        const at = buffered.findIndex((byte) => byte % 7 === 0);
        return at >= 0 ? at + 1 : ended || buffered.byteLength === 50 ? buffered.byteLength : undefined;
      },
    };
    const bytes = pattern(1000);
    const chunks = await collect(chunkBody(source(bytes, [13, 200, 7]), cutter));
    expect(Buffer.compare(joined(chunks), bytes)).toBe(0);
    expect(chunks.slice(0, -1).every((chunk) => (chunk.at(-1) ?? 1) % 7 === 0 || chunk.byteLength === 50)).toBe(true);
  });

  test("closes the body when the consumer stops", async () => {
    const body = source(pattern(10 * CHUNK), [CHUNK, CHUNK, CHUNK]);
    for await (const chunk of chunkBody(body, fixed(CHUNK).start(undefined))) {
      expect(chunk.byteLength).toBe(CHUNK);
      expect(body.state.closed).toBe(false);
      break;
    }
    expect(body.state.closed).toBe(true);
  });

  test("passes on what the body throws, unchanged", async () => {
    const failure = new Error("disk on fire");
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield pattern(10);
      throw failure;
    }
    await expect(collect(chunkBody(failing(), fixed(CHUNK).start(undefined)))).rejects.toBe(failure);
  });

  test.each<[string, unknown]>([
    ["a string", "text"],
    ["null", null],
    ["undefined", undefined],
    ["an ArrayBuffer", new ArrayBuffer(4)],
    ["other elements", new Uint16Array(4)],
  ])("refuses a slice that is %s, and closes the body", async (_, slice) => {
    let closed = false;
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        yield pattern(5);
        yield slice as Uint8Array;
      } finally {
        closed = true;
      }
    }
    const chunks = collect(chunkBody(body(), fixed(CHUNK).start(undefined)));
    await expect(chunks).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(closed).toBe(true);
  });

  test.each([0, -1, 1.5, 11, undefined, Number.NaN])(
    "calls a chunker that cuts %s of 10 bytes a bug, and closes the body",
    async (length) => {
      const body = source(pattern(100), [4, 6]);
      await expect(collect(chunkBody(body, { maxBytes: 10, cut: () => length }))).rejects.toMatchObject({
        code: "INTERNAL",
      });
      expect(body.state.closed).toBe(true);
    },
  );
});

describe("fixed", () => {
  test("takes sizes from 64 KiB to 1 GiB, 4 MiB by default", () => {
    expect(fixed().start(undefined).maxBytes).toBe(4 * 1024 * 1024);
    expect(fixed(65536).name).toBe("fixed(65536)");
    expect(fixed(1024 ** 3).start(5).maxBytes).toBe(1024 ** 3);
  });

  test.each([0, -1, 65535, 1024 ** 3 + 1, 70_000.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "refuses %s",
    (chunkBytes) => {
      expect(() => fixed(chunkBytes)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    },
  );
});

describe("byCount", () => {
  test.each([0, -1, 1.5, 1_000_001, Number.NaN])("refuses a count of %s", (count) => {
    expect(() => byCount(count)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test.each([undefined, -1, 1.5, Number.NaN])("refuses a length of %s", (total) => {
    expect(() => byCount(6).start(total)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("refuses chunks over 64 MiB and tells the count that is enough", () => {
    const limit = LIMITS.CHUNK_MAX_BYTES_DEFAULT;
    expect(byCount(6).start(6 * limit).maxBytes).toBe(limit);
    const refusal = { code: "INVALID_ARGUMENT", details: { countMin: "7" } };
    expect(() => byCount(6).start(6 * limit + 1)).toThrow(expect.objectContaining(refusal));
    expect(byCount(7).start(6 * limit + 1).maxBytes).toBeLessThanOrEqual(limit);
  });

  test("starts again for each body", async () => {
    const chunker = byCount(3);
    for (let run = 0; run < 2; run++) {
      const chunks = await collect(chunkBody(source(pattern(11), [2]), chunker.start(11)));
      expect(chunks.map((chunk) => chunk.byteLength)).toEqual([4, 4, 3]);
    }
  });

  test("goes on to the end of a body that is longer than declared", async () => {
    const chunks = await collect(chunkBody(source(pattern(20), [2]), byCount(3).start(11)));
    expect(Buffer.compare(joined(chunks), pattern(20))).toBe(0);
  });
});
