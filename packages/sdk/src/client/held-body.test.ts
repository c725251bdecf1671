import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addAbortSignal, Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { runInNewContext } from "node:vm";
import { afterAll, describe, expect, test } from "vitest";
import { type ObjectBody, toByteStream } from "./body-source.ts";
import { createClient } from "./create-client.ts";
import { holdBody } from "./held-body.ts";

const folder = mkdtempSync(join(tmpdir(), "held-body-"));
const file = join(folder, "body.bin");
writeFileSync(file, Buffer.alloc(1000, "abc"));
afterAll(() => rmSync(folder, { recursive: true }));

const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });

async function destroyed(stream: Readable, reason?: Error | AbortSignal): Promise<Readable> {
  stream.on("error", () => {});
  const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
  if (reason instanceof AbortSignal) addAbortSignal(reason, stream);
  else stream.destroy(reason);
  await closed;
  return stream;
}

describe("a Node stream", () => {
  test.each<[string, () => Promise<Readable>]>([
    [
      "that was read to its end",
      async () => {
        const stream = Readable.from([Buffer.from("abc")]);
        for await (const _ of stream);
        return stream;
      },
    ],
    [
      "of which the first piece was taken",
      async () => {
        const stream = createReadStream(file, { highWaterMark: 10 });
        await stream.iterator({ destroyOnReturn: false }).next();
        return stream;
      },
    ],
    ["that was destroyed", async () => createReadStream(file).destroy()],
    ["that was destroyed, as its events tell later", async () => destroyed(createReadStream(file))],
    ["that others aborted", async () => destroyed(createReadStream(file), new DOMException("no more", "AbortError"))],
    ["that a timeout of others aborted", async () => destroyed(createReadStream(file), AbortSignal.timeout(0))],
    [
      "that was left by break",
      async () => {
        const stream = createReadStream(file, { highWaterMark: 10 });
        for await (const _ of stream) break;
        return stream;
      },
    ],
    ["with the encoding utf16le", async () => createReadStream(file, "utf16le")],
    ["with the encoding hex", async () => createReadStream(file).setEncoding("hex")],
    ["of texts, with an encoding", async () => Readable.from(["a"], { objectMode: false, encoding: "latin1" })],
  ])("%s is refused", async (_, make) => {
    const stream = await make();
    expect(() => toByteStream(holdBody(stream))).toThrow(refused);
    stream.destroy();
  });

  test("that failed before is refused, with its error as the cause", async () => {
    const failure = new Error("cable cut");
    const stream = new Readable({ read() {} });
    stream.on("error", () => {});
    stream.destroy(failure);
    await nextTurn();
    expect(holdBody(stream).problem).toMatchObject({ code: "INVALID_ARGUMENT", cause: failure });
  });

  test.each<[string, () => Readable, BufferEncoding]>([
    ["bytes, to latin1", () => createReadStream(file), "latin1"],
    ["bytes, to utf8", () => createReadStream(file), "utf8"],
    ["texts, to hex", () => createReadStream(file, "utf8"), "hex"],
    ["objects, to base64", () => Readable.from([Buffer.from("abc")]), "base64"],
  ])("of %s, after it was taken, is refused at the first slice of it", async (_, make, encoding) => {
    for (const isBeforeReading of [true, false]) {
      const stream = make();
      const held = holdBody(stream);
      if (isBeforeReading) stream.setEncoding(encoding);
      const slices = toByteStream(held).stream[Symbol.asyncIterator]();
      if (!isBeforeReading) stream.setEncoding(encoding);
      await expect(slices.next()).rejects.toEqual(refused);
      expect(stream.destroyed).toBe(true);
    }
  });

  test("that fails while nobody reads yet ends its call, and not the process", async () => {
    const client = createClient({ name: "test", open: () => new Promise(() => {}) });
    const body = createReadStream(join(folder, "no-such-file"));
    const closed = new Promise<void>((resolve) => body.once("close", () => resolve()));
    const put = client.putObject({ bucket: "box", key: "", body });
    await expect(put).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await closed;
    expect(body.errored).toMatchObject({ code: "ENOENT" });
  });

  test("is closed when a call fails before it reads", async () => {
    const client = createClient({ name: "test", open: () => Promise.reject(new Error("no")) });
    const body = createReadStream(file);
    const closed = new Promise<void>((resolve) => body.once("close", () => resolve()));
    await expect(client.writePart({ uploadId: "u", partNumber: 1, body })).rejects.toMatchObject({ code: "INTERNAL" });
    await closed;
    expect(body.closed).toBe(true);
  });

  test("of part of a file knows its length", () => {
    const cases: [object, number | undefined][] = [
      [{}, undefined],
      [{ start: 10 }, undefined],
      [{ end: 9 }, 10],
      [{ start: 10, end: 2000 }, 1991],
      [{ end: 9, encoding: "utf8" }, 10],
    ];
    for (const [options, sizeBytes] of cases) {
      const held = holdBody(createReadStream(file, options));
      expect(toByteStream(held).sizeBytes).toBe(sizeBytes);
      held.letGo(false);
    }
  });

  test("of a request that nobody read stays, so that the app can answer", () => {
    const request = Object.assign(new Readable({ read() {} }), { method: "PUT" });
    holdBody(request).letGo(false);
    expect(request.destroyed).toBe(false);
  });
});

test("a web stream is cancelled, and a generator told to return, when a call fails before it reads", async () => {
  let cancelled = false;
  const stream = new ReadableStream({
    cancel() {
      cancelled = true;
    },
  });
  async function* generator(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1);
  }
  const generated = generator();
  for (const body of [stream, generated]) holdBody(body).letGo(false);
  expect(cancelled).toBe(true);
  expect(stream.locked).toBe(false);
  expect((await generated.next()).done).toBe(true);
});

test("an iterator is taken once", () => {
  const values = ["a"].values();
  expect(holdBody(values).problem).toBeUndefined();
  expect(holdBody(values).problem).toEqual(refused);
  const array = ["a"];
  for (let round = 0; round < 2; round++) expect(holdBody(array).problem).toBeUndefined();
});

test.each(["new Uint8Array([1, 2, 3])", "new Uint8Array([1, 2, 3]).buffer", "[new Uint8Array([1, 2, 3])]"])(
  "%s of another realm is bytes",
  async (code) => {
    const slices: Uint8Array[] = [];
    for await (const slice of toByteStream(holdBody(runInNewContext(code) as ObjectBody)).stream) slices.push(slice);
    expect(slices).toEqual([new Uint8Array([1, 2, 3])]);
    expect(slices[0]).toBeInstanceOf(Uint8Array);
  },
);

test("an error of another realm keeps its message", () => {
  const failure: unknown = runInNewContext("new Error('cable cut')");
  const stream = new Readable({ read() {} });
  stream.on("error", () => {});
  stream.destroy(failure as Error);
  expect(holdBody(stream).problem).toMatchObject({ message: "the body failed: cable cut", cause: failure });
});
