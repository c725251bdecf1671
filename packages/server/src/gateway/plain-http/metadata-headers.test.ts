import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestGateway, type TestGateway } from "../testing/start-test-gateway.ts";
import { metadataFromHeaders, metadataHeaders } from "./metadata-headers.ts";

/** 8 KiB each, names included. */
const SCRIPTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Latin: { note: "n".repeat(8188) },
  Cyrillic: { note: "ж".repeat(4094) },
  CJK: { note: "漢".repeat(2729) },
  emoji: { note: "🪨".repeat(2047) },
  "JSON text": { note: '{"a":"b"}'.repeat(909) },
  percents: { note: "%".repeat(8188) },
  "many entries": Object.fromEntries(Array.from({ length: 512 }, (_, index) => [`name-${index}`, "ж".repeat(4)])),
};

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    metadata: createMemoryMetadataStore(),
    topology: singleStoreTopology(createMemoryChunkStore()),
    hasher: nodeCryptoHasher,
  });
  await fetch(`${gateway.url}/objects/meta`, { method: "PUT", headers: auth() });
});
afterAll(async () => {
  await gateway.close();
});

const auth = (): Record<string, string> => ({ authorization: `Bearer ${gateway.keys.admin}` });
const put = (key: string, headers: Record<string, string>): Promise<Response> =>
  fetch(`${gateway.url}/objects/meta/${key}`, { method: "PUT", headers: { ...auth(), ...headers }, body: "x" });

describe("8 KiB of metadata", () => {
  it.each(Object.entries(SCRIPTS))(
    "in %s go in and out by fetch, together with header fields at their limit",
    async (name, metadata) => {
      const key = encodeURIComponent(name);
      const headers = Object.fromEntries(
        Object.entries(metadata).map(([each, value]) => [`ashlar-meta-${each}`, encodeURIComponent(value)]),
      );
      const fields = { "content-type": "text/plain", "content-disposition": `inline; filename="${"f".repeat(2010)}"` };
      expect((await put(key, { ...headers, ...fields })).status).toBe(200);
      for (const method of ["GET", "HEAD"]) {
        // Node's fetch takes 16 KiB of headers; with more it fails.
        const answer = await fetch(`${gateway.url}/objects/meta/${key}`, { method, headers: auth() });
        expect(answer.status).toBe(200);
        expect(metadataFromHeaders(answer.headers)).toEqual(metadata);
        await answer.arrayBuffer();
      }
      // In the form in which it came, it can go in again.
      const [again] = metadataHeaders(metadata);
      expect((await put(`${key}-again`, Object.fromEntries([again ?? []]))).status).toBe(200);
    },
  );
});

describe("metadata headers", () => {
  const read = (entries: [string, string][]): unknown => metadataFromHeaders(new Headers(entries));

  it("of usual size are one for each entry", () => {
    expect(metadataHeaders({ "taken-by": "Олег Å", empty: "" })).toEqual([
      ["ashlar-meta-taken-by", "%D0%9E%D0%BB%D0%B5%D0%B3%20%C3%85"],
      ["ashlar-meta-empty", ""],
    ]);
    expect(metadataHeaders({})).toEqual([]);
    expect(read([["content-type", "text/plain"]])).toBeUndefined();
  });

  it("lose nothing", async () => {
    expect(Object.entries(read([["ashlar-meta-__proto__", "kept"]]) as object)).toEqual([["__proto__", "kept"]]);
    expect(read([["ashlar-meta-constructor", "kept"]])).toEqual({ constructor: "kept" });
    expect(
      read([
        ["ashlar-meta-A", "1"],
        ["ashlar-meta-a", "2"],
      ]),
    ).toEqual({ a: "1, 2" });
    // Some parsers of JSON drop that name silently, so it is refused.
    expect((await put("proto", { "ashlar-meta-__proto__": "kept", "ashlar-meta-a": "b" })).status).toBe(400);
    expect((await fetch(`${gateway.url}/objects/meta/proto`, { headers: auth() })).status).toBe(404);
  });

  it("that cannot be read are refused", () => {
    const whole = (text: string): [string, string] => ["ashlar-metadata", Buffer.from(text).toString("base64url")];
    const bad: [string, string][][] = [
      [["ashlar-meta-a", "100%"]],
      [["ashlar-meta-a", "%ff"]],
      [["ashlar-metadata", "***"]],
      [["ashlar-metadata", Buffer.from([0x61, 0x3d, 0xff, 0x0a]).toString("base64url")]],
      [whole("a=1")],
      [whole("a\n")],
      [whole("=1\n")],
      [whole("a=1\nA=2\n")],
      [["ashlar-meta-a", "1"], whole("a=1\n")],
    ];
    for (const entries of bad) {
      expect(() => read(entries), JSON.stringify(entries)).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    }
    expect(read([whole("a=b=c\n__proto__=1\n")])).toEqual(
      Object.fromEntries([
        ["a", "b=c"],
        ["__proto__", "1"],
      ]),
    );
  });

  it("beyond the number of entries are refused, and not cut", async () => {
    const headers = Object.fromEntries(Array.from({ length: 513 }, (_, index) => [`ashlar-meta-${index}`, "1"]));
    expect((await put("too-many", headers)).status).toBe(400);
    // If headers beyond a count were ignored, the condition would be lost.
    const many = (length: number) => Object.fromEntries(Array.from({ length }, (_, index) => [`x-${index}`, "1"]));
    expect((await put("conditional", { ...many(600), "if-match": '"none"' })).status).toBe(412);
    expect((await put("conditional", { ...many(2100), "if-match": '"none"' })).status).toBe(431);
  });
});
