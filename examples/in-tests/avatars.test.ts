import { inMemory } from "@ashlar/adapters/memory";
import { createClient, type ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Avatars, createAvatars, PLACEHOLDER } from "./avatars.ts";

const image = new Uint8Array([137, 80, 78, 71]);
let store: ObjectClient;
let avatars: Avatars;

// A new store for each test: no folder, no server, nothing to clean up.
beforeEach(async () => {
  store = createClient(inMemory());
  avatars = createAvatars(store);
  await avatars.prepare();
});
afterEach(() => store.close());

test("a picture comes back as it was saved", async () => {
  await avatars.save("ada", image);
  expect(await avatars.load("ada")).toEqual(image);
  expect(await store.bucket("avatars").object("ada").head()).toMatchObject({
    contentType: "image/png",
  });
});

test("another test's picture is not there", async () => {
  expect(await avatars.load("ada")).toBe(PLACEHOLDER);
});

test("a second start finds the bucket", async () => {
  await avatars.prepare();
});

test("a store that is away shows the placeholder, but does not lose an upload silently", async () => {
  let isAway = false;
  const away = (): Error | undefined => (isAway ? new AshlarError("NODE_UNAVAILABLE", "away") : undefined);
  await using failing = createClient(inMemory({ fault: away }));
  const shaky = createAvatars(failing);
  await shaky.prepare();
  await shaky.save("ada", image);
  isAway = true;
  expect(await shaky.load("ada")).toBe(PLACEHOLDER);
  await expect(shaky.save("ada", image)).rejects.toMatchObject({ code: "NODE_UNAVAILABLE", retryable: true });
  isAway = false;
  expect(await shaky.load("ada")).toEqual(image);
});

test("a full disk is an error that the caller sees", async () => {
  await using full = createClient(inMemory({ capacityBytes: 1000, inlineMaxBytes: 0 }));
  const small = createAvatars(full);
  await small.prepare();
  await expect(small.save("ada", new Uint8Array(2000))).rejects.toMatchObject({ code: "DISK_FULL" });
});
