import { AshlarError } from "@ashlar/sdk/errors";
import { CommitWriteRequestSchema, DeleteChunkRequestSchema, PutObjectRequestSchema } from "@ashlar/sdk/rpc";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { boundedMessages } from "./bounded-messages.ts";
import { createFieldCounter } from "./field-counter.ts";
import { HTTP_LIMITS } from "./http-limits.ts";
import { assertJsonWithin } from "./json-bounds.ts";

const commit = toBinary(
  CommitWriteRequestSchema,
  create(CommitWriteRequestSchema, {
    bucket: "photos",
    key: "k".repeat(300),
    attributes: { metadata: { one: "1", two: "2" } },
    content: {
      case: "chunked",
      value: {
        chunks: [1, 2, 3].map(() => ({ chunkId: new Uint8Array(32), sizeBytes: 70_000n, receipts: ["r".repeat(200)] })),
      },
    },
  }),
);
// bucket, key, attributes, 2 × (entry, name, value), chunked, 3 × (chunk, id, size, receipt)
const COMMIT_FIELDS = 3 + 2 * 3 + 1 + 3 * 4;

function countsAsMany(slices: readonly Uint8Array[], fieldsMax: number): boolean {
  const counter = createFieldCounter(CommitWriteRequestSchema, fieldsMax);
  counter.begin(Number.POSITIVE_INFINITY);
  try {
    for (const slice of slices) counter.feed(slice);
    return true;
  } catch (error) {
    expect(AshlarError.from(error).code).toBe("INVALID_ARGUMENT");
    return false;
  }
}

describe("the fields of a message", () => {
  it("are counted through all that is nested, however the bytes are sliced", () => {
    for (const sliceBytes of [1, 2, 7, 64, 1000]) {
      const slices = Array.from({ length: Math.ceil(commit.length / sliceBytes) }, (_, index) =>
        commit.subarray(index * sliceBytes, (index + 1) * sliceBytes),
      );
      expect([sliceBytes, countsAsMany(slices, COMMIT_FIELDS)]).toEqual([sliceBytes, true]);
      expect([sliceBytes, countsAsMany(slices, COMMIT_FIELDS - 1)]).toEqual([sliceBytes, false]);
    }
  });

  it("are counted for what nobody knows too, and bytes are never taken for fields", () => {
    const unknown = Uint8Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? 0x78 : 1));
    expect(countsAsMany([unknown], 100)).toBe(true);
    expect(countsAsMany([unknown], 99)).toBe(false);
    const text = toBinary(CommitWriteRequestSchema, create(CommitWriteRequestSchema, { key: "\n\u0000".repeat(400) }));
    expect(countsAsMany([text], 1)).toBe(true);
  });

  it("begin anew with each enveloped message", async () => {
    const message = toBinary(
      DeleteChunkRequestSchema,
      create(DeleteChunkRequestSchema, { chunkIds: [new Uint8Array(300), new Uint8Array(32)] }),
    );
    const head = Uint8Array.of(0, 0, 0, message.length >> 8, message.length & 255);
    const all = Buffer.concat([head, message, head, message, head, message]);
    async function* sliced(sliceBytes: number): AsyncGenerator<Uint8Array> {
      for (let start = 0; start < all.length; start += sliceBytes) yield all.subarray(start, start + sliceBytes);
    }
    const read = async (sliceBytes: number, fieldsMax: number): Promise<number> => {
      let bytes = 0;
      const body = boundedMessages(sliced(sliceBytes), {
        framing: { desc: DeleteChunkRequestSchema, fieldsMax, enveloped: true },
        refuse: (error) => error as Error,
      });
      for await (const slice of body) bytes += slice.length;
      return bytes;
    };
    for (const sliceBytes of [1, 3, 5, 300, 5000]) {
      expect(await read(sliceBytes, 2)).toBe(all.length);
      await expect(read(sliceBytes, 1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });

  it("of a frame of a megabyte are two", () => {
    const message = create(PutObjectRequestSchema, { payload: { case: "frame", value: new Uint8Array(1024 * 1024) } });
    const counter = createFieldCounter(PutObjectRequestSchema, 1);
    counter.begin(Number.POSITIVE_INFINITY);
    counter.feed(toBinary(PutObjectRequestSchema, message));
  });
});

describe("a JSON text", () => {
  const refused = (text: string, valuesMax = 100): boolean => {
    try {
      assertJsonWithin(new TextEncoder().encode(text), valuesMax);
      return false;
    } catch (error) {
      return AshlarError.is(error, "INVALID_ARGUMENT");
    }
  };

  it("has a depth, which brackets in texts do not add to", () => {
    const depth = HTTP_LIMITS.MESSAGE_DEPTH_MAX.value;
    const nested = (count: number): string => `${"[".repeat(count)}${"]".repeat(count)}`;
    expect([refused(nested(depth)), refused(nested(depth + 1))]).toEqual([false, true]);
    expect(refused(JSON.stringify({ key: `${"[".repeat(99)}\\"\\\\"[[[`, other: "\\" }))).toBe(false);
    expect(refused(`{"a":${'{"a":'.repeat(40)}1${"}".repeat(41)}`)).toBe(true);
  });

  it("has a number of values", () => {
    const list = (count: number): string => JSON.stringify(Array.from({ length: count }, () => "a,[{b"));
    expect([refused(list(100)), refused(list(101))]).toEqual([false, true]);
  });

  it("has no number of a million digits, as a text or with a sign", () => {
    const max = HTTP_LIMITS.JSON_DIGITS_MAX.value;
    for (const sign of ["", "-"]) expect(refused(`{"sizeBytes":"${sign}${"9".repeat(1_000_000)}"}`)).toBe(true);
    expect(refused(`{"data":"${"9".repeat(max)}"}`)).toBe(false);
    expect(refused(`{"data":"99A${"9".repeat(1_000_000)}"}`)).toBe(false);
  });
});
