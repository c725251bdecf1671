import { createClient, fixed, gateway, KIB, MIB, type ObjectClient, type TransferProgress } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { webCryptoHasher } from "@ashlar/sdk/hash";
import { connectTransport } from "@ashlar/sdk/transport/connect";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { createSha256, RUN_ID } from "#platform";
import { expectCode } from "../support/expect-code.ts";
import { sha256Hex, testBytes, testStream } from "../support/test-bytes.ts";
import { WAYS } from "./browser-subjects.ts";

const PART = 256 * KIB;

describe("the page", () => {
  test("is of another origin than the servers, and they let it read their answers", async () => {
    const { url } = inject("servers").cluster;
    expect(new URL(url).origin).not.toBe(location.origin);
    const refused = await fetch(`${url}/objects/nowhere/nothing`);
    expect(refused.type).toBe("cors");
    expect(refused.headers.get("ashlar-error-code")).toBe("UNAUTHENTICATED");
  });

  test("hashes with Web Crypto what is whole, and with JavaScript what comes in pieces", async () => {
    const bytes = testBytes(MIB + 5);
    const wanted = sha256Hex(bytes);
    const hex = (digest: Uint8Array): string =>
      Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    expect(hex(await webCryptoHasher.digest(bytes))).toBe(wanted);
    const pieces = await webCryptoHasher.incremental();
    for (let offset = 0; offset < bytes.byteLength; offset += 9999)
      pieces.update(bytes.subarray(offset, offset + 9999));
    expect(hex(pieces.digest())).toBe(wanted);
  });

  test("gets PERMISSION_DENIED that names its origin from a server that does not let it in", {
    timeout: 60_000,
  }, async () => {
    const { closed } = inject("servers");
    for (const [, open] of WAYS) {
      await using client = open(closed);
      const error = await expectCode(client.listBuckets({ timeoutMs: 20_000 }), "PERMISSION_DENIED");
      expect(error.details).toMatchObject({ origin: location.origin, url: closed.url });
      expect(error.message).toContain(`--cors-origins ${location.origin}`);
      expect(AshlarError.is(error.cause, "NODE_UNAVAILABLE")).toBe(true);
    }
  });

  test("gets NODE_UNAVAILABLE where no server is", { timeout: 60_000 }, async () => {
    for (const [, open] of WAYS) {
      await using client = open(inject("servers").nobody);
      await expectCode(client.listBuckets({ timeoutMs: 20_000 }), "NODE_UNAVAILABLE");
    }
  });

  test("gets no error about its origin if a server lets it in, but a call fails", { timeout: 60_000 }, async () => {
    const broken = (): Promise<Response> => Promise.reject(new TypeError("Failed to fetch"));
    for (const transport of [httpTransport({ fetch: broken }), connectTransport({ fetch: broken })]) {
      await using client = createClient(gateway({ ...inject("servers").cluster, transport, retry: { forMs: 500 } }));
      await expectCode(client.listBuckets({ timeoutMs: 20_000 }), "NODE_UNAVAILABLE");
    }
  });
});

// Only the direct seat, which sends each byte three times; the suites move 16 MiB through both seats.
describe.each(WAYS.filter(([way]) => way.startsWith("direct")))("a page, %s,", (way, open) => {
  test("uploads a file of 64 MiB with progress that never goes back", { timeout: 120_000 }, async () => {
    await using client = open();
    const ref = { bucket: `file-${RUN_ID}-${way.replaceAll(" ", "-")}`, key: "wall" };
    await client.createBucket({ bucket: ref.bucket });
    const sizeBytes = 64 * MIB;
    const fileSeed = 1000 * WAYS.findIndex(([name]) => name === way);
    const slices: Uint8Array<ArrayBuffer>[] = [];
    const hash = createSha256();
    for await (const slice of testStream(sizeBytes, { seed: fileSeed, sliceBytes: 4 * MIB })) {
      slices.push(slice as Uint8Array<ArrayBuffer>);
      hash.update(slice);
    }
    const events: TransferProgress[] = [];
    const onProgress = (progress: TransferProgress): void => void events.push(progress);
    const put = await client.putObject({ ...ref, body: new File(slices, "wall.bin"), durability: "os", onProgress });
    expect(put).toMatchObject({ sizeBytes, sha256: hash.hex(), chunkCount: 16 });
    for (const [index, event] of events.entries()) {
      expect(event.totalBytes).toBe(sizeBytes);
      expect(event.transferredBytes).toBeGreaterThanOrEqual(events[index - 1]?.transferredBytes ?? 0);
    }
    expect(events.length).toBeGreaterThan(3);
    expect(events.at(-1)?.transferredBytes).toBe(sizeBytes);
    const range = { offset: 5 * MIB - 3, length: 10 };
    expect(await (await client.getObject({ ...ref, range })).bytes()).toEqual(
      testBytes(16, fileSeed, 5 * MIB - 4).slice(1, 11),
    );
  });
});

describe.each(WAYS)("a page, %s,", (way, open) => {
  const ref = { bucket: `page-${RUN_ID}-${way.replaceAll(" ", "-")}`, key: "wall" };
  let client: ObjectClient;
  let seed = 1000 * WAYS.findIndex(([name]) => name === way);
  beforeAll(async () => {
    client = open();
    await client.createBucket({ bucket: ref.bucket });
  });
  afterAll(() => client.close());

  test("goes on with an upload after a reload, and sends only the parts that are missing", async () => {
    const key = "resumed";
    const file = new File([testBytes(4 * PART, 3)], "wall.bin");
    const part = (partNumber: number): Blob => file.slice((partNumber - 1) * PART, partNumber * PART);
    const before = open();
    const { uploadId } = await before.createUpload({ bucket: ref.bucket, key });
    sessionStorage.setItem("upload", uploadId);
    for (const partNumber of [1, 2]) await before.writePart({ uploadId, partNumber, body: part(partNumber) });
    await before.close();

    const stored = sessionStorage.getItem("upload") ?? "";
    const parts = new Map<number, string>();
    for await (const { partNumber, etag } of client.listParts({ uploadId: stored })) parts.set(partNumber, etag);
    expect([...parts.keys()]).toEqual([1, 2]);
    for (const partNumber of [3, 4]) {
      parts.set(partNumber, (await client.writePart({ uploadId, partNumber, body: part(partNumber) })).etag);
    }
    await client.completeUpload({ uploadId, parts: [...parts].map(([partNumber, etag]) => ({ partNumber, etag })) });
    expect(await client.bucket(ref.bucket).object(key).bytes()).toEqual(testBytes(4 * PART, 3));
  });

  test("rejects an upload whose onProgress throws with the app's own error", async () => {
    const own = new Error("the app's");
    const onProgress = (): never => {
      throw own;
    };
    const body = testBytes(2 * MIB, ++seed);
    const error = await expectCode(
      client.putObject({ ...ref, key: "thrown", body, chunker: fixed(MIB), onProgress }),
      "INVALID_ARGUMENT",
    );
    expect(error.cause).toBe(own);
  });

  test("rejects an abort in the middle of a chunk", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let progressed = 0;
    const onProgress = (): void => {
      progressed++;
      controller.abort();
    };
    const body = testBytes(12 * MIB, ++seed);
    const put = client.putObject({ ...ref, key: "aborted", body, chunker: fixed(12 * MIB), onProgress, signal });
    await expectCode(put, "CANCELED");
    expect(progressed).toBeGreaterThan(0);
    await expectCode(client.headObject({ ...ref, key: "aborted" }), "OBJECT_NOT_FOUND");
  });
});
