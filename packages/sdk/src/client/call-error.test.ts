import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import { createClient } from "./create-client.ts";
import { gateway } from "./seats/gateway.ts";

const broken = (error: Error, url?: string): ReturnType<typeof createClient> =>
  createClient({ name: "test", url, open: () => Promise.reject(error) });

async function errorOf(work: Promise<unknown>): Promise<AshlarError> {
  return (await work.then(
    () => undefined,
    (error: unknown) => error,
  )) as AshlarError;
}

describe("an error of a call", () => {
  test("names object, call and gateway, in message and details", async () => {
    const client = broken(new AshlarError("NODE_UNAVAILABLE", "gone"), "http://127.0.0.1:9000");
    const error = await errorOf(client.headObject({ bucket: "photos", key: "a\u001b[2J" }));
    expect(error.message).toBe('gone (headObject "photos/a\\u001b[2J" at http://127.0.0.1:9000)');
    expect(error.details).toEqual({ bucket: "photos", key: "a\u001b[2J", url: "http://127.0.0.1:9000" });
  });

  test("has the caller in its stack, also from a handle", async () => {
    const client = broken(new AshlarError("DISK_FULL", "full"));
    async function theAppsOwnFunction(): Promise<unknown> {
      await Promise.resolve();
      return client.bucket("photos").object("cat").put("x");
    }
    const { stack } = await errorOf(theAppsOwnFunction());
    expect(stack).toMatch(/^AshlarError: full/);
    expect(stack).toContain("theAppsOwnFunction");
  });

  test.each([
    ["an object", (client: ReturnType<typeof broken>) => client.bucket("photos").object("cat").stream()],
    ["a slice", (client: ReturnType<typeof broken>) => client.bucket("photos").object("cat").slice(-5).stream()],
  ])("has the caller that asked for the stream of %s in its stack, whoever reads it", async (_name, streamOf) => {
    const client = broken(new AshlarError("DISK_FULL", "full"));
    function theAppsOwnFunction(): ReadableStream<Uint8Array> {
      return streamOf(client);
    }
    const reader = theAppsOwnFunction().getReader();
    await Promise.resolve();
    const { stack } = await errorOf(reader.read());
    expect(stack).toContain("theAppsOwnFunction");
  });

  test("that ends several calls names each call's own key", async () => {
    const shared = new AshlarError("STORE_CLOSED", "closed");
    const client = broken(shared);
    const [first, second] = await Promise.all(
      ["a", "b"].map((key) => errorOf(client.headObject({ bucket: "photos", key }))),
    );
    expect([first?.details.key, second?.details.key].sort()).toEqual(["a", "b"]);
    expect([first, second]).toContain(shared);
  });

  test("of a copy names the object or bucket that it means, not the other one", async () => {
    const copy = { sourceBucket: "photos", sourceKey: "a", bucket: "photos", key: "b" };
    const absent = broken(new AshlarError("OBJECT_NOT_FOUND", "gone", { details: { bucket: "photos", key: "a" } }));
    const source = await errorOf(absent.copyObject(copy));
    expect(source.message).toBe('gone (copyObject "photos/a")');
    expect(source.details).toEqual({ bucket: "photos", key: "a", sourceBucket: "photos", sourceKey: "a" });
    const nowhere = broken(new AshlarError("BUCKET_NOT_FOUND", "gone", { details: { bucket: "nowhere" } }));
    const bucket = await errorOf(nowhere.copyObject({ ...copy, sourceBucket: "nowhere" }));
    expect(bucket.message).toBe('gone (copyObject "nowhere")');
    expect(bucket.details).toEqual({ bucket: "nowhere", sourceBucket: "nowhere", sourceKey: "a" });
    const target = await errorOf(nowhere.copyObject({ ...copy, bucket: "nowhere" }));
    expect(target.details).toMatchObject({ bucket: "nowhere", key: "b" });
  });

  test("names the object when its signal was aborted before", async () => {
    const client = broken(new AshlarError("DISK_FULL", "full"));
    const calls = [
      client.getObject({ bucket: "photos", key: "a", signal: AbortSignal.abort() }),
      client.headObject({ bucket: "photos", key: "a", signal: AbortSignal.abort() }),
      client.putObject({ bucket: "photos", key: "a", body: "x", signal: AbortSignal.abort() }),
    ];
    for (const call of calls) {
      expect(await errorOf(call)).toMatchObject({ code: "CANCELED", details: { bucket: "photos", key: "a" } });
    }
  });

  test("with which the caller aborted stays unchanged", async () => {
    const own = new AshlarError("CANCELED", "mine");
    const client = createClient({ name: "test", open: () => new Promise(() => {}) });
    const reading = client.getObject({ bucket: "photos", key: "a", signal: AbortSignal.abort(own) });
    expect(await errorOf(reading)).toBe(own);
    expect(own.message).toBe("mine");
  });
});

test.each([
  "http://user:hunter2@localhost:9000",
  "http://:hunter2@localhost",
  "http://localhost/?token=hunter2",
  "http://localhost/#hunter2",
  "postgres://user:hunter2@localhost/db",
  "user:hunter2@localhost:9000",
  "http://user:hunter2?x@localhost",
])("%s is refused as a gateway's URL without showing the password", (url) => {
  let error: unknown;
  try {
    gateway({ url });
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(JSON.stringify([(error as Error).message, (error as Error).stack])).not.toContain("hunter2");
});

test("a gateway without a URL is told that it has none", () => {
  expect(() => gateway({ apiKey: "x" } as never)).toThrow(/was not given/);
});
