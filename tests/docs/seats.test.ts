import { embedded } from "@ashlar/adapters/embedded";
import { inMemory } from "@ashlar/adapters/memory";
import { direct, gateway } from "@ashlar/adapters/node";
import { createClient, type Seat } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServedStore } from "../support/served-store.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { readPage } from "./markdown.ts";

/** The table of docs/seats-and-transports.md: what each seat offers besides objects. */
const CALLS = ["collect", "cluster", "createAccessToken"] as const;

let folder: TempFolder;
let seats: Readonly<Record<string, Seat>>;
let stop: () => Promise<unknown>;

beforeAll(async () => {
  folder = await createTempFolder();
  const { server, url, apiKey } = await startServedStore(folder);
  stop = () => server.stop();
  seats = {
    embedded: embedded({ path: folder.at("store") }),
    inMemory: inMemory(),
    gateway: gateway({ url, apiKey }),
    direct: direct({ url, apiKey }),
  };
});
afterAll(async () => {
  await stop();
  await folder[Symbol.asyncDispose]();
});

describe("what each seat offers", () => {
  const rows = [...readPage("docs/seats-and-transports.md").matchAll(/^\| `(\w+)` \|(.*)\|$/gm)].map(
    ([, seat = "", cells = ""]) => ({ seat, cells: cells.split("|").map((cell) => cell.trim()) }),
  );
  const offers = rows.filter(({ cells }) =>
    cells.slice(0, CALLS.length).every((cell) => cell === "yes" || cell === "no"),
  );

  test("is on the page for all of them", () => {
    expect(offers.map(({ seat }) => seat)).toEqual(["embedded", "inMemory", "gateway", "direct"]);
  });

  test.each(["embedded", "inMemory", "gateway", "direct"])("is true for %s", async (name) => {
    await using client = createClient(seats[name]!);
    await client.createBucket({ bucket: `box-${name.toLowerCase()}` });
    const outcome = async (call: Promise<unknown>): Promise<string> =>
      await call.then(
        () => "yes",
        (error: unknown) => (AshlarError.is(error, "UNSUPPORTED") ? "no" : String(error)),
      );
    const seen = [
      await outcome(client.collect()),
      await outcome(client.cluster()),
      await outcome(client.createAccessToken({ bucket: `box-${name.toLowerCase()}` })),
    ];
    expect(offers.find(({ seat }) => seat === name)?.cells.slice(0, CALLS.length)).toEqual(seen);
  });
});
