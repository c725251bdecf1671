import { type Logger, silentLogger } from "@ashlar/sdk/ports";
import { beforeEach, expect, test } from "vitest";
import { HTTP_LIMITS } from "../../http/index.ts";
import { createManualClock, type ManualClock } from "../../http/testing/manual-clock.ts";
import { type DescriptorWatch, watchDescriptors } from "./watch-descriptors.ts";

let clock: ManualClock;
let lines: string[];
let shortage: string | undefined;

beforeEach(() => {
  clock = createManualClock();
  lines = [];
  shortage = undefined;
});

function watch(limit: number | undefined): DescriptorWatch {
  const at =
    (level: string) =>
    (_: object, message: string): void =>
      void lines.push(`${level}: ${message.split(":")[0]}`);
  const logger: Logger = { ...silentLogger, info: at("info"), warn: at("warn"), error: at("error") };
  const tryOne = async (): Promise<void> => {
    if (shortage !== undefined) throw Object.assign(new Error("no"), { code: shortage });
  };
  return watchDescriptors({ clock, logger, limit, tryOne });
}

test.each([
  [undefined, HTTP_LIMITS.CONNECTIONS_MAX.value],
  [1_048_576, HTTP_LIMITS.CONNECTIONS_MAX.value],
  [1024, 480],
  [32, 16],
])("with %s descriptors a server takes %i connections", (limit, connectionsMax) => {
  expect(watch(limit).connectionsMax).toBe(connectionsMax);
});

test("a descriptor that cannot be had, and a connection that was refused, count as used up, and are logged once", async () => {
  const watched = watch(1024);
  expect(await watched.areUsedUp()).toBe(false);
  shortage = "EMFILE";
  for (let asked = 0; asked < 100; asked++) expect(await watched.areUsedUp()).toBe(true);
  shortage = undefined;
  expect(await watched.areUsedUp()).toBe(false);
  for (let refused = 0; refused < 100; refused++) watched.noteRefused();
  expect(await watched.areUsedUp()).toBe(true);
  await clock.advance(5000);
  expect(await watched.areUsedUp()).toBe(false);
  expect(lines).toEqual(["error: no file descriptor is left"]);
  await clock.advance(600_000);
  watched.noteRefused();
  expect(lines.at(-1)).toBe("error: connections are refused, because as many are open as this server takes");
  expect(lines).toHaveLength(2);
});

test("any other error of the try is no shortage", async () => {
  shortage = "ENOENT";
  await expect(watch(1024).areUsedUp()).rejects.toMatchObject({ code: "ENOENT" });
});
