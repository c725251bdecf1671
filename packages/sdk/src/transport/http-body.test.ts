import { describe, expect, test } from "vitest";
import { readBody } from "./http-body.ts";
import type { HttpResponse } from "./http-exchange.ts";

function response(slices: readonly number[], headers: Readonly<Record<string, string>>): HttpResponse {
  let next = 0;
  return {
    status: 200,
    header: (name) => headers[name],
    body: (async function* () {
      for (const size of slices) yield new Uint8Array(size).map(() => next++);
    })(),
  };
}

const counted = (size: number): Uint8Array => new Uint8Array(size).map((_, index) => index);

describe("reading a body", () => {
  test.each([
    ["of declared length", { "content-length": "7" }],
    ["of unknown length", {}],
    ["whose declared length is that of its compressed form", { "content-length": "3", "content-encoding": "gzip" }],
  ])("%s gives all bytes and rising progress", async (_name, headers) => {
    const seen: number[] = [];
    const body = await readBody(response([3, 0, 4], headers), { maxBytes: 7, onProgress: (bytes) => seen.push(bytes) });
    expect(body).toEqual(counted(7));
    expect(seen).toEqual([3, 3, 7]);
  });

  test.each([
    ["shorter than declared", [3], { "content-length": "7" }, "NODE_UNAVAILABLE"],
    ["longer than declared", [3, 5], { "content-length": "7" }, "NODE_UNAVAILABLE"],
    ["declared to be over the limit, before any byte is read", [], { "content-length": "101" }, "OBJECT_TOO_LARGE"],
    ["over the limit", [60, 60], {}, "OBJECT_TOO_LARGE"],
    ["with a length that is not a number", [3], { "content-length": "many" }, "OBJECT_TOO_LARGE"],
    ["with a negative length", [3], { "content-length": "-1" }, "NODE_UNAVAILABLE"],
  ])("%s is refused", async (_name, slices, headers, code) => {
    await expect(
      readBody(response(slices, headers as Record<string, string>), { maxBytes: 100 }),
    ).rejects.toMatchObject({ code });
  });

  test("the result shares no memory with the slices", async () => {
    const slice = new Uint8Array([1, 2, 3]);
    const reused: HttpResponse = {
      status: 200,
      header: () => null,
      body: (async function* () {
        yield slice;
      })(),
    };
    const body = await readBody(reused, { maxBytes: 10 });
    slice.fill(0);
    expect([...body]).toEqual([1, 2, 3]);
  });
});
