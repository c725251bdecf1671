import { byCount, fixed, KIB, LIMITS, type ObjectBody } from "@ashlar/sdk";
import { describe, expect, test } from "vitest";
import { PLATFORM_BODIES } from "#platform";
import { expectCode } from "../../support/expect-code.ts";
import { readAll, sha256Hex, testBytes, testStream } from "../../support/test-bytes.ts";
import type { UseContext } from "../subject.ts";

const CHUNK = 64 * KIB;
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const INLINE = LIMITS.INLINE_MAX_BYTES;

/** Round trips of bodies of every size and kind. */
export function bodyCases(use: UseContext): void {
  describe("a round trip", () => {
    const sizes = [0, 1, INLINE, INLINE + 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 3];
    test.each(sizes)("of %i bytes gives back the same bytes, size and digest", async (sizeBytes) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const body = testBytes(sizeBytes);
      const put = await client.putObject({ ...ref, body, chunker: fixed(CHUNK) });
      expect(put).toMatchObject({ ...ref, sizeBytes, sha256: sha256Hex(body), durability: "strict" });
      expect(put.chunkCount).toBe(sizeBytes <= INLINE ? 0 : Math.ceil(sizeBytes / CHUNK));
      expect(put.replicas).toBeGreaterThanOrEqual(1);
      const got = await client.getObject(ref);
      expect(await got.bytes()).toEqual(body);
      expect(got).toMatchObject({ sizeBytes, etag: put.etag, sha256: put.sha256, objectVersion: put.objectVersion });
      const { etag, objectVersion } = put;
      expect(await client.headObject(ref)).toMatchObject({ sizeBytes, etag, objectVersion, sha256: put.sha256 });
    });

    test("of a stream of unknown length, in slices of odd sizes", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const sizeBytes = 3 * CHUNK + 1000;
      const put = await client.putObject({
        ...ref,
        body: testStream(sizeBytes, { sliceBytes: 4444 }),
        chunker: fixed(CHUNK),
      });
      expect(put).toMatchObject({ sizeBytes, chunkCount: 4, sha256: sha256Hex(testBytes(sizeBytes)) });
      expect(await (await client.getObject(ref)).bytes()).toEqual(testBytes(sizeBytes));
    });

    test("cut into six near-equal parts", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const body = testBytes(6 * CHUNK + 5);
      expect((await client.putObject({ ...ref, body, chunker: byCount(6) })).chunkCount).toBe(6);
      expect(await (await client.getObject(ref)).bytes()).toEqual(body);
    });

    test("replaces what was there", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const first = await client.putObject({ ...ref, body: testBytes(2 * CHUNK, 1), chunker: fixed(CHUNK) });
      const second = await client.putObject({ ...ref, body: testBytes(CHUNK, 2), chunker: fixed(CHUNK) });
      expect(second.objectVersion).not.toBe(first.objectVersion);
      expect(await (await client.getObject(ref)).bytes()).toEqual(testBytes(CHUNK, 2));
    });

    test("of the same bytes again moves no chunk that the store has", async () => {
      const { client, bucket } = use();
      const name = await bucket();
      const body = testBytes(3 * CHUNK, 77);
      await client.putObject({ bucket: name, key: "a", body, chunker: fixed(CHUNK) });
      // A write does not wait for a node that is a little late: in a busy cluster, the next one may still bring it a copy.
      const again = async (): Promise<number> =>
        (await client.putObject({ bucket: name, key: "b", body, chunker: fixed(CHUNK) })).deduplicatedBytes;
      await expect.poll(again).toBe(3 * CHUNK);
    });

    test("with a repeated chunk", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const body = new Uint8Array(4 * CHUNK).fill(7);
      await client.putObject({ ...ref, body, chunker: fixed(CHUNK) });
      expect(await (await client.getObject(ref)).bytes()).toEqual(body);
    });

    test.each(["strict", "batched", "os"] as const)("with durability %s says so", async (durability) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      expect((await client.putObject({ ...ref, body: testBytes(CHUNK), durability })).durability).toBe(durability);
      expect((await client.headObject(ref)).durability).toBe(durability);
    });
  });

  const text = "Grün ".repeat(20_000);
  const bytes = new TextEncoder().encode(text);
  const kinds: ReadonlyArray<readonly [string, () => ObjectBody]> = [
    ["a string", () => text],
    ["a Uint8Array", () => bytes],
    ["an ArrayBuffer", () => bytes.slice().buffer],
    ["a Blob", () => new Blob([bytes])],
    ["a File", () => new File([bytes], "wall.txt")],
    ["a Response", () => new Response(bytes)],
    ["a web ReadableStream", () => new Blob([bytes]).stream()],
    ["an async iterable", () => testSlices(bytes)],
    ["an array of slices", () => [bytes.subarray(0, 1000), bytes.subarray(1000)]],
    ...PLATFORM_BODIES.map(([name, make]) => [name, () => make(testSlices(bytes))] as const),
  ];
  describe("a body", () => {
    test.each(kinds)("may be %s", async (_, body) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const put = await client.putObject({ ...ref, body: body(), chunker: fixed(CHUNK) });
      expect(put.sizeBytes).toBe(bytes.byteLength);
      expect(await (await client.getObject(ref)).text()).toBe(text);
    });
  });

  describe("a body that is not whole", () => {
    const webStream = (): ReadableStream<Uint8Array> => new Blob([bytes]).stream();
    const spent: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
      [
        "a stream that was cancelled",
        async () => {
          const stream = webStream();
          await stream.cancel();
          return stream;
        },
      ],
      [
        "a stream of which a piece was read",
        async () => {
          const stream = webStream();
          const reader = stream.getReader();
          await reader.read();
          reader.releaseLock();
          return stream;
        },
      ],
      [
        "a stream that is locked",
        async () => {
          const stream = webStream();
          stream.getReader();
          return stream;
        },
      ],
      [
        "a Response that was read",
        async () => {
          const response = new Response(bytes);
          await response.text();
          return response;
        },
      ],
      [
        "bytes that were transferred away",
        async () => {
          const moved = bytes.slice();
          structuredClone(moved.buffer, { transfer: [moved.buffer] });
          return moved;
        },
      ],
      [
        "slices of which one was transferred away",
        async () => {
          const moved = bytes.slice();
          structuredClone(moved.buffer, { transfer: [moved.buffer] });
          return [bytes, moved];
        },
      ],
      [
        "a Response that is shorter than it says",
        async () => new Response(bytes, { headers: { "content-length": String(bytes.byteLength + 1) } }),
      ],
    ];
    test.each(spent)("%s is INVALID_ARGUMENT, and nothing is written", async (_, make) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      await expectCode(client.putObject({ ...ref, body: (await make()) as ObjectBody }), "INVALID_ARGUMENT");
      const { uploadId } = await client.createUpload(ref);
      await expectCode(
        client.writePart({ uploadId, partNumber: 1, body: (await make()) as ObjectBody }),
        "INVALID_ARGUMENT",
      );
      await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
    });

    test.each<[string, () => ObjectBody]>([
      ["a stream", webStream],
      ["a generator", () => testSlices(bytes)],
      ["a Response", () => new Response(bytes)],
    ])("%s, given again after a call that failed, is INVALID_ARGUMENT", async (_, make) => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const body = make();
      await expectCode(client.putObject({ ...ref, body, ifMatch: "older" }), "PRECONDITION_FAILED");
      await expectCode(client.putObject({ ...ref, body }), "INVALID_ARGUMENT");
      const refused = make();
      await expectCode(client.putObject({ ...ref, key: "", body: refused }), "INVALID_ARGUMENT");
      await expectCode(client.putObject({ ...ref, body: refused }), "INVALID_ARGUMENT");
    });

    test("text that is cut within a character is joined again", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const brick = "\u{1f9f1}";
      await client.putObject({ ...ref, body: ["a", brick[0]!, brick[1]!, "z"] });
      expect(await client.bucket(ref.bucket).object(ref.key).text()).toBe(`a${brick}z`);
    });
  });

  describe("the bytes of an object", () => {
    test("can be taken as bytes, text, JSON, stream or slices, once", async () => {
      const { client, bucket } = use();
      const ref = { bucket: await bucket(), key: "wall" };
      const value = { stone: "grün", sizes: [1, 2, 3] };
      await client.putObject({ ...ref, body: JSON.stringify(value) });
      expect(await (await client.getObject(ref)).json()).toEqual(value);
      expect(await (await client.getObject(ref)).text()).toBe(JSON.stringify(value));
      const streamed = await client.getObject(ref);
      expect(textOf(await readAll(streamed.stream()))).toBe(JSON.stringify(value));
      const iterated = await client.getObject(ref);
      expect(textOf(await readAll(iterated))).toBe(JSON.stringify(value));
      await expect(iterated.bytes()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    });
  });
}

async function* testSlices(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += 9999) yield bytes.subarray(offset, offset + 9999);
}
