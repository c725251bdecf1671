import { writeFile } from "node:fs/promises";
import { MIB } from "@ashlar/sdk";
import { expect, test } from "vitest";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { allOf, BUCKET } from "./page-cluster.ts";
import { openPage, type PageDriver } from "./page-driver.ts";
import { describePage } from "./page-suite.ts";
import { seenProgress, watchProgress } from "./watch-progress.ts";

const SIZE = 16 * MIB;
const PART = 4 * MIB;
/** Bytes a second: slow enough that one part takes a while. */
const SLOW = MIB / 2;

describePage("an upload in the page", (suite) => {
  /** Begins an upload of which `partCount` parts reach the store. */
  async function begin(driver: PageDriver, name: string, seed: number, partCount: number): Promise<Uint8Array> {
    const bytes = testBytes(SIZE, seed);
    await writeFile(suite.folder.at(name), bytes);
    await driver.holdAfter(partCount);
    await driver.page.setInputFiles("#files", suite.folder.at(name));
    return bytes;
  }

  /** Bytes that the store has of the upload. */
  async function storedBytes(key: string): Promise<number> {
    let bytes = 0;
    for await (const { uploadId } of suite.cluster.client.listUploads({ bucket: BUCKET, prefix: key }))
      for await (const part of suite.cluster.client.listParts({ uploadId })) bytes += part.sizeBytes;
    return bytes;
  }

  async function untilStored(key: string, bytes: number): Promise<void> {
    await expect.poll(() => storedBytes(key), { timeout: 60_000, interval: 100 }).toBeGreaterThanOrEqual(bytes);
  }

  test("pauses, sends nothing while it is paused, and goes on with what is missing", async () => {
    const name = "paused.bin";
    const driver = await suite.open();
    await driver.throttle(SLOW);
    await driver.page.evaluate(watchProgress);
    const bytes = await begin(driver, name, 31, 2);
    // The bar also stops where no part ends: it counts bytes. The upload is slow until that is seen.
    const withinPart = async (): Promise<boolean> =>
      (await driver.page.evaluate(seenProgress)).some((value) => (value * SIZE) % PART > 0);
    await expect.poll(withinPart).toBe(true);
    await driver.throttle(undefined);
    await untilStored(name, 2 * PART);
    await driver.press(`Pause ${name}`);
    await driver.untilState(name, "paused");
    await driver.page.waitForTimeout(500);
    const stored = await storedBytes(name);
    const sent = await driver.sentChunkBytes();
    await driver.page.waitForTimeout(1000);
    expect(await storedBytes(name)).toBe(stored);
    expect(await driver.sentChunkBytes()).toBe(sent);
    expect(stored).toBeLessThan(SIZE);
    await driver.letGo();
    await driver.page.getByRole("button", { name: `Resume ${name}` }).click();
    await driver.untilState(name, "done");
    expect((await driver.sentChunkBytes()) - sent).toBe(SIZE - stored);
    expect(await driver.detail(name)).toBe("16 MiB · done");
    expect(await suite.cluster.digestOf(name)).toEqual({ sha256: sha256Hex(bytes), sizeBytes: SIZE });
    await driver.close();
  });

  test("goes on after a reload with what is missing, and says what was there", async () => {
    const name = "reloaded.bin";
    const driver = await suite.open();
    const bytes = await begin(driver, name, 32, 3);
    await untilStored(name, 3 * PART);
    await driver.page.reload();
    await driver.letGo();
    const unfinished = driver.page.getByRole("region", { name: "Unfinished uploads" });
    await unfinished.getByText(name).waitFor();
    const stored = await storedBytes(name);
    expect(stored).toBeLessThan(SIZE);
    await unfinished.getByText(`${stored / MIB} MiB of 16 MiB are in the store`).waitFor();
    const sent = await driver.sentChunkBytes();
    const notices = driver.page.locator("#notices");
    await writeFile(suite.folder.at("wrong.bin"), "another file");
    await unfinished.getByLabel(`The file ${name}`).setInputFiles(suite.folder.at("wrong.bin"));
    await notices.getByText(`Choose ${name} as it was`).waitFor();
    await unfinished.getByLabel(`The file ${name}`).setInputFiles(suite.folder.at(name));
    await expect.poll(() => notices.textContent()).toBe("");
    await driver.untilState(name, "done");
    expect(await driver.detail(name)).toContain(`${stored / MIB} MiB of it were there already`);
    expect((await driver.sentChunkBytes()) - sent).toBe(SIZE - stored);
    expect(await suite.cluster.digestOf(name)).toEqual({ sha256: sha256Hex(bytes), sizeBytes: SIZE });
    await expect.poll(() => unfinished.isVisible()).toBe(false);
    await driver.close();
  });

  test("refuses another file after a reload, and can be discarded", async () => {
    const name = "discarded.bin";
    const driver = await suite.open();
    await begin(driver, name, 33, 1);
    await untilStored(name, PART);
    await driver.page.reload();
    await writeFile(suite.folder.at("other.bin"), "another file");
    const unfinished = driver.page.getByRole("region", { name: "Unfinished uploads" });
    await unfinished.getByLabel(`The file ${name}`).setInputFiles(suite.folder.at("other.bin"));
    await driver.page.getByRole("alert").getByText("other.bin is another file").waitFor();
    await unfinished.getByRole("button", { name: `Discard ${name}` }).click();
    await expect.poll(() => unfinished.isVisible()).toBe(false);
    expect(await allOf(suite.cluster.client.listUploads({ bucket: BUCKET, prefix: name }))).toEqual([]);
    await driver.close();
  });

  test("that two tabs send is done in both when one of them completes it", async () => {
    const name = "tabs.bin";
    const driver = await suite.open();
    const bytes = await begin(driver, name, 38, 1);
    await untilStored(name, PART);
    const other = await openPage(suite.browser, suite.cluster.example.pageUrl, { context: driver.context });
    await other.page.setInputFiles("#files", suite.folder.at(name));
    await other.untilState(name, "done");
    await driver.letGo();
    await driver.untilState(name, "done");
    expect(await suite.cluster.digestOf(name)).toEqual({ sha256: sha256Hex(bytes), sizeBytes: SIZE });
    expect(await allOf(suite.cluster.client.listUploads({ bucket: BUCKET, prefix: name }))).toEqual([]);
    await other.close();
    await driver.close();
  });

  test("starts again if the store has dropped it, even if its key has another object by then", async () => {
    const name = "exchanged.bin";
    const driver = await suite.open();
    const bytes = await begin(driver, name, 39, 1);
    await untilStored(name, PART);
    await driver.press(`Pause ${name}`);
    await driver.untilState(name, "paused");
    const { client } = suite.cluster;
    for (const { uploadId } of await allOf(client.listUploads({ bucket: BUCKET, prefix: name })))
      await client.abortUpload({ uploadId });
    await client.putObject({ bucket: BUCKET, key: name, body: testBytes(SIZE, 40) });
    await driver.letGo();
    await driver.press(`Resume ${name}`);
    await driver.untilState(name, "done");
    expect(await suite.cluster.digestOf(name)).toEqual({ sha256: sha256Hex(bytes), sizeBytes: SIZE });
    await driver.close();
  });

  test("whose last answer was lost is not offered again after a reload", async () => {
    const name = "unanswered.bin";
    const driver = await suite.open();
    const { page } = driver;
    await begin(driver, name, 41, 1);
    await untilStored(name, PART);
    // The store completes the upload, but the page never gets the answer.
    const completed = new Promise<void>((resolve) => {
      void page.route(/CompleteUpload$/, (route) => route.fetch().then(() => resolve()));
    });
    await driver.letGo();
    await completed;
    await page.reload();
    await page.getByRole("button", { name: `Preview ${name}` }).waitFor();
    await expect.poll(() => page.getByRole("region", { name: "Unfinished uploads" }).isVisible()).toBe(false);
    await driver.close();
  });

  test("says that it waits for a store that does not answer, and so does the list", async () => {
    const driver = await suite.open({ hurried: true });
    const { page } = driver;
    const bytes = testBytes(SIZE, 64);
    await writeFile(suite.folder.at("silent.bin"), bytes);
    // Held, so that it cannot be done before the store is frozen.
    await driver.holdAfter(1);
    await page.setInputFiles("#files", suite.folder.at("silent.bin"));
    await expect.poll(() => driver.detail("silent.bin"), { timeout: 60_000 }).toMatch(/MiB of 16 MiB/);
    suite.cluster.gateway.freeze();
    await driver.letGo();
    try {
      await page.getByRole("button", { name: "Refresh" }).click();
      // In any order: how far the clock of the page has come when one is seen depends on the machine.
      await driver.hurryUntil(
        page.locator("#objects").getByText("The store does not answer"),
        page.locator("#transfers li").getByText("The store has not answered for"),
      );
    } finally {
      suite.cluster.gateway.thaw();
    }
    await driver.untilState("silent.bin", "done");
    await page.getByRole("button", { name: "Refresh" }).click();
    await page.locator("#objects").getByText("The store does not answer").waitFor({ state: "hidden" });
    await driver.close();
  });

  test("is canceled, and the store keeps nothing of it", async () => {
    const name = "canceled.bin";
    const driver = await suite.open();
    await begin(driver, name, 34, 1);
    await untilStored(name, PART);
    await driver.press(`Cancel ${name}`);
    await driver.untilState(name, "canceled");
    expect(await driver.page.locator("#total").isVisible()).toBe(false);
    await expect.poll(() => allOf(suite.cluster.client.listUploads({ bucket: BUCKET, prefix: name }))).toEqual([]);
    await expect(suite.cluster.client.headObject({ bucket: BUCKET, key: name })).rejects.toMatchObject({
      code: "OBJECT_NOT_FOUND",
    });
    await driver.close();
  });

  test("asks before the page goes away while it runs", async () => {
    const name = "leaving.bin";
    const driver = await suite.open();
    await begin(driver, name, 37, 0);
    await driver.untilState(name, "moving");
    // Browsers ask only for a page that somebody has used.
    await driver.page.getByRole("button", { name: "Refresh" }).click();
    const asked = driver.page.waitForEvent("dialog");
    await driver.page.close({ runBeforeUnload: true });
    const dialog = await asked;
    expect(dialog.type()).toBe("beforeunload");
    await dialog.dismiss();
    await driver.press(`Cancel ${name}`);
    await driver.untilState(name, "canceled");
    await driver.close();
  });

  test("finds out that a file has changed although its size and time have not, and sends what differs", async () => {
    const name = "changed.bin";
    const driver = await suite.open();
    await begin(driver, name, 35, 2);
    await untilStored(name, 2 * PART);
    await driver.page.reload();
    await driver.letGo();
    const changed = testBytes(SIZE, 36);
    const unfinished = driver.page.getByRole("region", { name: "Unfinished uploads" });
    const input = unfinished.getByLabel(`The file ${name}`);
    await input.waitFor({ state: "attached" });
    await input.evaluate(
      (element: HTMLInputElement, { size, name }) => {
        // The same name, size and time, other bytes.
        const made = new DataTransfer();
        const kept = indexedDB.open("ashlar-browser-example");
        kept.onsuccess = () => {
          const all = kept.result.transaction("uploads").objectStore("uploads").getAll();
          all.onsuccess = () => {
            const { lastModifiedMs } = all.result.find((token: { name: string }) => token.name === name);
            made.items.add(new File([new Uint8Array(size).fill(7)], name, { lastModified: lastModifiedMs }));
            element.files = made.files;
            element.dispatchEvent(new Event("change"));
          };
        };
      },
      { size: SIZE, name },
    );
    await driver.untilState(name, "done");
    expect(changed.fill(7).byteLength).toBe(SIZE);
    expect(await suite.cluster.digestOf(name)).toEqual({ sha256: sha256Hex(changed), sizeBytes: SIZE });
    await driver.close();
  });
});
