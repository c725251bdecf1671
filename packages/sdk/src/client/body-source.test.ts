import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type ByteStream, type ObjectBody, toByteStream as readHeld } from "./body-source.ts";
import { holdBody } from "./held-body.ts";

const TEXT = "grün, 緑, 🟢";
const BYTES = new TextEncoder().encode(TEXT);

function toByteStream(body: ObjectBody): ByteStream {
  return readHeld(holdBody(body));
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const slices: Uint8Array[] = [];
  for await (const slice of stream) slices.push(slice);
  return new Uint8Array(Buffer.concat(slices));
}

async function* generated(): AsyncGenerator<Uint8Array | string> {
  yield BYTES.subarray(0, 3);
  yield new Uint8Array(0);
  yield BYTES.subarray(3);
}

function webStream(slices: readonly (Uint8Array | string)[]): ReadableStream<Uint8Array | string> {
  return new ReadableStream({
    start(controller) {
      for (const slice of slices) controller.enqueue(slice);
      controller.close();
    },
  });
}

describe("toByteStream", () => {
  test.each<[string, () => ObjectBody, number | undefined]>([
    ["a string", () => TEXT, BYTES.byteLength],
    ["a Uint8Array", () => BYTES, BYTES.byteLength],
    ["a view of part of a buffer", () => new Uint8Array([9, ...BYTES, 9]).subarray(1, -1), BYTES.byteLength],
    ["a Buffer", () => Buffer.from(TEXT), BYTES.byteLength],
    ["an ArrayBuffer", () => Uint8Array.from(BYTES).buffer, BYTES.byteLength],
    ["a Blob", () => new Blob([TEXT]), BYTES.byteLength],
    ["a File", () => new File([TEXT], "colours.txt"), BYTES.byteLength],
    ["a ReadableStream of bytes", () => webStream([BYTES.slice(0, 5), BYTES.slice(5)]), undefined],
    ["a ReadableStream of strings", () => webStream(["grün, ", "緑, 🟢"]), undefined],
    ["a ReadableStream of type bytes", () => new Blob([TEXT]).stream(), undefined],
    ["an async generator", generated, undefined],
    ["an array of Uint8Array", () => [BYTES.subarray(0, 7), BYTES.subarray(7)], undefined],
    ["a Set of strings", () => new Set(["grün, ", "緑, 🟢"]), undefined],
    [
      "a Node Readable",
      () => Readable.from([Buffer.from("grün, "), Buffer.from("緑, 🟢")], { objectMode: false }),
      undefined,
    ],
    [
      "a Node Readable that decodes",
      () => Readable.from([Buffer.from(TEXT)], { objectMode: false }).setEncoding("utf8"),
      undefined,
    ],
  ])("reads %s", async (_, create, sizeBytes) => {
    const source = toByteStream(create());
    expect(source.sizeBytes).toBe(sizeBytes);
    expect("sizeBytes" in source).toBe(sizeBytes !== undefined);
    expect(await read(source.stream)).toEqual(BYTES);
  });

  test.each<[string, readonly number[]]>([
    ["bytes that are no UTF-8", [0x61, 0xe9, 0xff, 0x62]],
    ["half a character at its end", [0x61, 0xf0, 0x9f]],
    ["half a surrogate pair", [0xed, 0xa0, 0xbd]],
  ])("refuses a Node Readable that decodes, and has %s", async (_, bytes) => {
    const readable = Readable.from([Buffer.from(bytes)], { objectMode: false }).setEncoding("utf8");
    await expect(read(toByteStream(readable).stream)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(readable.destroyed).toBe(true);
  });

  test.each<[string, ObjectBody]>([
    ["a string", ""],
    ["a Uint8Array", new Uint8Array(0)],
    ["a Blob", new Blob([])],
  ])("knows the length of an empty body: %s", async (_, body) => {
    const source = toByteStream(body);
    expect(source.sizeBytes).toBe(0);
    expect((await read(source.stream)).byteLength).toBe(0);
  });

  test.each<[unknown, string]>([
    [undefined, "undefined"],
    [null, "null"],
    [42, "number"],
    [true, "boolean"],
    [() => BYTES, "function"],
    [{}, "Object"],
    [Object.create(null), "object"],
    [new Uint16Array(2), "Uint16Array"],
    [new DataView(new ArrayBuffer(2)), "DataView"],
    [new Date(0), "Date"],
    [Promise.resolve(BYTES), "Promise"],
  ])("refuses %s at once, naming it", (body, given) => {
    expect(() => toByteStream(body as ObjectBody)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        details: { given },
        message: expect.stringContaining(given),
      }),
    );
  });

  test.each<[string, () => unknown, string]>([
    ["an array of numbers", () => [1, 2], "number"],
    ["an object-mode Readable", () => Readable.from([{ a: 1 }]), "Object"],
    ["a ReadableStream of objects", () => webStream([new Date(0) as never]), "Date"],
    ["a generator of null", () => [null].values(), "null"],
  ])("refuses the slices of %s", async (_, create, given) => {
    const { stream } = toByteStream(create() as ObjectBody);
    await expect(read(stream)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", details: { given } });
  });

  test("refuses a ReadableStream that someone else reads", async () => {
    const stream = webStream([BYTES]);
    stream.getReader();
    expect(() => toByteStream(stream)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("reads nothing before it is asked", async () => {
    const pulled: string[] = [];
    async function* body(): AsyncGenerator<Uint8Array> {
      pulled.push("generator");
      yield BYTES;
    }
    const readable = new Readable({ read: () => void pulled.push("Readable") });
    const web = new ReadableStream({ pull: () => void pulled.push("ReadableStream") }, { highWaterMark: 0 });
    for (const given of [body(), readable, web]) toByteStream(given);
    await nextTurn();
    expect(pulled).toEqual([]);
    expect(web.locked).toBe(true); // nobody else may read it any more
  });
});

describe("a body that is not read to its end", () => {
  async function readOne(body: ObjectBody): Promise<void> {
    const held = holdBody(body);
    for await (const slice of readHeld(held).stream) {
      expect(slice.byteLength).toBeGreaterThan(0);
      break;
    }
    held.letGo(false);
  }

  test("destroys a Node Readable", async () => {
    const readable = new Readable({ read: () => void readable.push(Buffer.alloc(1000)) });
    await readOne(readable);
    expect(readable.destroyed).toBe(true);
  });

  test("cancels a ReadableStream and gives its lock back", async () => {
    let cancelled = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1000)),
      cancel: () => void cancelled++,
    });
    await readOne(stream);
    expect(cancelled).toBe(1);
    expect(stream.locked).toBe(false);
  });

  test("cancels a ReadableStream that gave something else than bytes", async () => {
    let cancelled = 0;
    const stream = new ReadableStream<unknown>({
      pull: (controller) => controller.enqueue(42),
      cancel: () => void cancelled++,
    });
    await expect(read(toByteStream(stream as ReadableStream<string>).stream)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(cancelled).toBe(1);
  });

  test("closes a generator", async () => {
    let closed = false;
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield BYTES;
      } finally {
        closed = true;
      }
    }
    await readOne(body());
    expect(closed).toBe(true);
  });

  test("stays unlocked when its cancel fails", async () => {
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(BYTES),
      cancel: () => Promise.reject(new Error("cannot cancel")),
    });
    await readOne(stream);
    expect(stream.locked).toBe(false);
  });
});

test("what the body throws passes through unchanged", async () => {
  const failure = new Error("cable cut");
  const web = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(failure) });
  const node = new Readable({ read: () => void node.destroy(failure) });
  async function* generator(): AsyncGenerator<Uint8Array> {
    yield BYTES;
    throw failure;
  }
  for (const body of [web, node, generator()]) await expect(read(toByteStream(body).stream)).rejects.toBe(failure);
});

describe("a body that hangs", () => {
  /** Begins to read, and stops while the first slice is still awaited. */
  async function stopWhileHanging(body: ObjectBody): Promise<void> {
    const iterator = toByteStream(body).stream[Symbol.asyncIterator]();
    const hanging = iterator.next();
    hanging.catch(() => {}); // nobody waits for this pull: how it ends does not matter
    await nextTurn();
    await iterator.return?.();
  }

  test("is cancelled if it is a ReadableStream", async () => {
    let cancelled = false;
    const stream = new ReadableStream<Uint8Array>({
      cancel() {
        cancelled = true;
      },
    });
    await stopWhileHanging(stream);
    expect(cancelled).toBe(true);
  });

  test("is destroyed if it is a Node Readable", async () => {
    const readable = new Readable({ read() {} });
    await stopWhileHanging(readable);
    expect(readable.destroyed).toBe(true);
  });

  test("gets return() if it is any other iterable", async () => {
    let returned = false;
    const body: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          returned = true;
          return { done: true, value: undefined };
        },
      }),
    };
    await stopWhileHanging(body);
    expect(returned).toBe(true);
  });
});
