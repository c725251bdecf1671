import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "@ashlar/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type EmbeddedOptions, embedded } from "./embedded.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-embedded-"));
  await writeFile(join(folder, "a-file"), "x");
});
afterAll(() => rm(folder, { recursive: true }));

test.each([[undefined], [{}], [{ path: "" }], [{ path: 5 }], [{ path: "a\0b" }]])(
  "refuses the options %j at once",
  (options) => {
    let thrown: unknown;
    try {
      embedded(options as EmbeddedOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("path") });
  },
);

test.each(["inlineMaxBytes", "claimTtlMs", "collectGraceMs", "forMs"])("refuses a %s that is no amount", (name) => {
  for (const amount of [-1, Number.NaN, "1s"]) {
    const options = { path: folder, [name]: amount, retry: { [name]: amount } } as EmbeddedOptions;
    expect(() => embedded(options)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  }
});

test.each([null, "./sqlite-worker.js", 5, {}, new URL("https://example.com/sqlite-worker.js")])(
  "refuses %j as the worker's file at once",
  (workerUrl) => {
    const options = { path: folder, workerUrl } as EmbeddedOptions;
    expect(() => embedded(options)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  },
);

test("starts its threads from the file that it is given", async () => {
  const options = { path: join(folder, "elsewhere"), workerUrl: pathToFileURL(join(folder, "nothing-here.js")) };
  await using client = createClient(embedded({ ...options, retry: { forMs: 0 } }));
  await expect(client.listBuckets()).rejects.toMatchObject({ code: "METADATA_UNAVAILABLE" });
});

test("uses its options as they were at the call, even if they differ when it is opened", async () => {
  const options = { path: join(folder, "held"), durability: "os" as "os" | "strict", retry: { forMs: 1000 } };
  await using client = createClient(embedded(options));
  Object.assign(options, { path: join(folder, "a-file"), durability: "strict" });
  options.retry.forMs = Number.NaN;
  await client.createBucket({ bucket: "held" });
  expect(await client.putObject({ bucket: "held", key: "k", body: "x" })).toMatchObject({ durability: "os" });
});

test.each([
  ["a file", "a-file", /a-file is a file/],
  ["below a file", "a-file/store", /below a file/],
])("a path that is %s is INVALID_ARGUMENT and says so", async (_what, name, message) => {
  await using client = createClient(embedded({ path: join(folder, name) }));
  await expect(client.listBuckets()).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(message),
  });
});

test("clients of one process that open one new folder at once all have it", async () => {
  for (let round = 1; round <= 10; round++) {
    const clients = [1, 2, 3].map(() => createClient(embedded({ path: join(folder, `together-${round}`) })));
    await Promise.all(clients.map((client, index) => client.createBucket({ bucket: `bucket-${index}` })));
    for (const client of clients) {
      expect((await client.listBuckets()).map(({ bucket }) => bucket)).toEqual(["bucket-0", "bucket-1", "bucket-2"]);
    }
    await Promise.all(clients.map((client) => client.close()));
  }
});
