import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { CommitWriteRequestSchema, DeleteChunkRequestSchema, PutObjectRequestSchema } from "@ashlar/sdk/rpc";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { boundedMessages } from "./bounded-messages.ts";
import { createFieldCounter } from "./field-counter.ts";

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

  it("include unknown ones, and bytes are never taken for fields", () => {
    const unknown = Uint8Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? 0x78 : 1));
    expect(countsAsMany([unknown], 100)).toBe(true);
    expect(countsAsMany([unknown], 99)).toBe(false);
    const text = toBinary(CommitWriteRequestSchema, create(CommitWriteRequestSchema, { key: "\n\u0000".repeat(400) }));
    expect(countsAsMany([text], 1)).toBe(true);
  });

  it("are counted anew in each enveloped message", async () => {
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

  it("of a frame of a megabyte are one", () => {
    const message = create(PutObjectRequestSchema, { payload: { case: "frame", value: new Uint8Array(1024 * 1024) } });
    const counter = createFieldCounter(PutObjectRequestSchema, 1);
    counter.begin(Number.POSITIVE_INFINITY);
    counter.feed(toBinary(PutObjectRequestSchema, message));
  });
});

describe("the items of a list", () => {
  const list = (chunkCount: number, receiptCount = 0): Uint8Array =>
    toBinary(
      CommitWriteRequestSchema,
      create(CommitWriteRequestSchema, {
        content: {
          case: "chunked",
          value: {
            chunks: Array.from({ length: chunkCount }, () => ({
              receipts: Array.from({ length: receiptCount }, () => "r"),
            })),
          },
        },
      }),
    );
  const taken = (...slices: Uint8Array[]): boolean => countsAsMany(slices, Number.POSITIVE_INFINITY);
  const max = LIMITS.COMMIT_CHUNKS_MAX;

  it("are at most as many as the proto files say, in each message", () => {
    expect([taken(list(max)), taken(list(max + 1))]).toEqual([true, false]);
    expect([taken(list(100, 16)), taken(list(100, 17))]).toEqual([true, false]);
  });

  it("are those of both values where a message is set twice", () => {
    expect([taken(list(max - 2), list(2)), taken(list(max - 2), list(3))]).toEqual([true, false]);
  });

  it("are the entries where the field is a map", () => {
    const attributes = (count: number): Uint8Array => {
      const names = Array.from({ length: count }, (_, index) => [`n${index}`, ""] as const);
      const message = { attributes: { metadata: Object.fromEntries(names) } };
      return toBinary(CommitWriteRequestSchema, create(CommitWriteRequestSchema, message));
    };
    const entries = LIMITS.METADATA_ENTRIES_MAX;
    expect([taken(attributes(entries)), taken(attributes(entries + 1))]).toEqual([true, false]);
  });
});
