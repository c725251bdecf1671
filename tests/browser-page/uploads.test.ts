import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { MIB } from "@ashlar/sdk";
import { expect, test } from "vitest";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { BUCKET } from "./page-cluster.ts";
import type { SeatLabel, TransportLabel } from "./page-driver.ts";
import { describePage } from "./page-suite.ts";
import { seenProgress, watchProgress } from "./watch-progress.ts";

const WAYS: ReadonlyArray<readonly [SeatLabel, TransportLabel]> = (["Gateway", "Direct"] as const).flatMap((seat) =>
  (["HTTP", "Connect", "gRPC-Web"] as const).map((transport) => [seat, transport] as const),
);

describePage("the page uploads", (suite) => {
  test.each(WAYS)("by %s over %s, with progress on the way", async (seat, transport) => {
    const name = `${seat}-${transport}.bin`;
    const bytes = testBytes(20 * MIB + 5, 7 + WAYS.findIndex((way) => way[0] === seat && way[1] === transport));
    await writeFile(suite.folder.at(name), bytes);
    const driver = await suite.open();
    await driver.choose(seat, transport);
    // How often a page draws while bytes move depends on the machine: so some chunks wait until the progress of those before them is seen.
    const onTheWay = async (): Promise<number> =>
      (await driver.page.evaluate(seenProgress)).filter((value) => value > 0 && value < 1).length;
    await driver.holdAfter(1);
    await driver.page.evaluate(watchProgress);
    await driver.page.setInputFiles("#files", suite.folder.at(name));
    await expect.poll(onTheWay).toBeGreaterThanOrEqual(1);
    const before = await onTheWay();
    driver.letThrough(1);
    await expect.poll(onTheWay).toBeGreaterThan(before);
    await driver.letGo();
    await driver.untilState(name, "done");
    const seen = await driver.page.evaluate(seenProgress);
    expect(seen).toEqual(seen.toSorted((one, other) => one - other));
    expect(await suite.cluster.digestOf(name)).toEqual({ sha256: sha256Hex(bytes), sizeBytes: bytes.byteLength });
    await driver.close();
  });

  const TREE = { "notes.txt": "one", "2026/a.txt": "two", "2026/deep/b.txt": "three" };

  async function writeTree(name: string): Promise<string> {
    for (const [path, text] of Object.entries(TREE)) {
      const file = suite.folder.at(name, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    }
    return suite.folder.at(name);
  }

  async function textsUnder(prefix: string): Promise<Record<string, string>> {
    const { client } = suite.cluster;
    const texts: Record<string, string> = {};
    for await (const entry of client.listObjects({ bucket: BUCKET, prefix })) {
      if (entry.type !== "object") continue;
      texts[entry.key.slice(prefix.length)] = await client.bucket(BUCKET).object(entry.key).text();
    }
    return texts;
  }

  test("a folder that is chosen, with all its folders", async () => {
    const driver = await suite.open();
    await driver.page.setInputFiles("#folder", await writeTree("chosen"));
    for (const path of Object.keys(TREE)) await driver.untilState(`chosen/${path}`, "done");
    expect(await textsUnder("chosen/")).toEqual(TREE);
    await driver.close();
  });

  test("a folder and a file that are dropped, into the folder that is open", async () => {
    await suite.cluster.client.putObject({ bucket: BUCKET, key: "open/first.txt", body: "1" });
    const tree = await writeTree("dropped");
    await writeFile(suite.folder.at("single.txt"), "dropped");
    const driver = await suite.open();
    await driver.page.getByRole("button", { name: "Open folder open/" }).click();
    const session = await driver.context.newCDPSession(driver.page);
    const data = { items: [], files: [tree, suite.folder.at("single.txt")], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"] as const) {
      await session.send("Input.dispatchDragEvent", { type, x: 250, y: 220, data });
    }
    await driver.untilState("single.txt", "done");
    for (const path of Object.keys(TREE)) await driver.untilState(`dropped/${path}`, "done");
    expect(await textsUnder("open/dropped/")).toEqual(TREE);
    expect(await textsUnder("open/")).toMatchObject({ "single.txt": "dropped" });
    await driver.page.getByRole("button", { name: "Preview single.txt" }).waitFor();
    await driver.close();
  });
});
