import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { MIB } from "@ashlar/sdk";
import { expect, test } from "vitest";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { allOf, BUCKET } from "./page-cluster.ts";
import { describePage } from "./page-suite.ts";

/** A picture of one pixel. */
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

describePage("the list of the page", (suite) => {
  const put = (key: string, body: string | Uint8Array, contentType?: string): Promise<unknown> =>
    suite.cluster.client.putObject({ bucket: BUCKET, key, body, contentType });

  test("walks through folders and back by the breadcrumbs", async () => {
    await put("walk/2026/cats/tom.txt", "meow");
    await put("walk/2026/readme.md", "# Cats");
    const driver = await suite.open();
    const { page } = driver;
    await page.getByRole("button", { name: "Open folder walk/" }).click();
    await page.getByRole("button", { name: "Open folder 2026/" }).click();
    await page.getByRole("button", { name: "Preview readme.md" }).waitFor();
    await page.getByRole("button", { name: "Open folder cats/" }).click();
    await page.getByRole("button", { name: "Preview tom.txt" }).waitFor();
    const crumbs = page.getByRole("navigation", { name: "Folder" });
    expect(await crumbs.textContent()).toMatch(/All files\s*\/\s*walk\s*\/\s*2026\s*\/\s*cats/);
    await crumbs.getByRole("button", { name: "walk" }).click();
    await page.getByRole("button", { name: "Open folder 2026/" }).waitFor();
    expect(await page.getByRole("row").count()).toBe(2);
    await driver.close();
  });

  test("goes back to the folder before with Back, and stays in a folder over a reload", async () => {
    await put("back/2026/cats & dogs/tom.txt", "meow");
    const driver = await suite.open();
    const { page } = driver;
    for (const name of ["back/", "2026/", "cats & dogs/"])
      await page.getByRole("button", { name: `Open folder ${name}` }).click();
    await page.getByRole("button", { name: "Preview tom.txt" }).click();
    await page.goBack();
    await page.getByRole("button", { name: "Open folder cats & dogs/" }).waitFor();
    expect(await page.getByRole("dialog").count()).toBe(0);
    await page.goForward();
    await page.getByRole("button", { name: "Preview tom.txt" }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Preview tom.txt" }).waitFor();
    await driver.close();
  });

  test("shows names as they are, and long ones in part", async () => {
    const long = `${"long ".repeat(50)}.txt`;
    await put("names/two  spaces.txt", "1");
    await put(`names/${long}`, "12");
    const driver = await suite.open();
    await driver.page.getByRole("button", { name: "Open folder names/" }).click();
    const spaced = driver.page.getByRole("row", { name: "two spaces.txt" });
    expect(await spaced.locator("bdi").evaluate((name) => getComputedStyle(name).whiteSpace)).toBe("pre-wrap");
    expect(await spaced.getByRole("cell").nth(1).textContent()).toBe("1 byte");
    const lines = await driver.page.locator(".objects bdi", { hasText: "long" }).evaluate((name: HTMLElement) => {
      return name.clientHeight / Number.parseFloat(getComputedStyle(name).lineHeight);
    });
    expect(Math.round(lines)).toBe(3);
    await driver.close();
  });

  test("shows more where there is more than a page of it", async () => {
    const keys = Array.from({ length: 130 }, (_, index) => `many/${String(index).padStart(3, "0")}.txt`);
    for (const key of keys) await put(key, key);
    const driver = await suite.open();
    await driver.page.getByRole("button", { name: "Open folder many/" }).click();
    await driver.page.getByRole("button", { name: "Preview 099.txt" }).waitFor();
    expect(await driver.page.getByRole("button", { name: "Preview 100.txt" }).count()).toBe(0);
    await driver.page.getByRole("button", { name: "Show more" }).click();
    await driver.page.getByRole("button", { name: "Preview 129.txt" }).waitFor();
    expect(await driver.page.getByRole("button", { name: /^Preview / }).count()).toBe(130);
    expect(await driver.page.getByRole("button", { name: "Show more" }).isVisible()).toBe(false);
    await driver.close();
  });

  test("previews pictures and texts, and says where it cannot", async () => {
    await put("preview/pixel.png", PIXEL, "image/png");
    await put("preview/long.txt", "line\n".repeat(100_000), "text/plain");
    await put("preview/page.html", "<script>document.title = 'taken over'</script>", "text/html");
    await put("preview/blob.bin", testBytes(100), "application/octet-stream");
    await put("preview/broken.png", "no picture", "image/png");
    await put("preview/binary.txt", testBytes(1000), "text/plain");
    await put("preview/empty.txt", "", "text/plain");
    const driver = await suite.open();
    const { page } = driver;
    await page.getByRole("button", { name: "Open folder preview/" }).click();
    const show = async (name: string): Promise<ReturnType<typeof page.getByRole>> => {
      await page.getByRole("button", { name: `Preview ${name}` }).click();
      return page.getByRole("dialog", { name });
    };
    const picture = await show("pixel.png");
    await picture.getByRole("img").waitFor();
    expect(await picture.getByRole("img").evaluate((image: HTMLImageElement) => image.decode())).toBeUndefined();
    await picture.getByRole("button", { name: "Close" }).click();
    const text = await show("long.txt");
    await text.getByText("Only the beginning is shown").waitFor();
    expect((await text.locator("pre").textContent())?.length).toBe(256 * 1024);
    await page.keyboard.press("Escape");
    const html = await show("page.html");
    await html.getByText("document.title = 'taken over'").waitFor();
    expect(await page.title()).toBe("Ashlar files");
    await page.keyboard.press("Escape");
    for (const [name, told] of [
      ["blob.bin", "There is no preview"],
      ["broken.png", "This picture cannot be shown"],
      ["binary.txt", "this is no text"],
      ["empty.txt", "This file is empty"],
    ] as const) {
      await (await show(name)).getByText(told).waitFor();
      await page.keyboard.press("Escape");
    }
    await driver.close();
  });

  test("downloads to a file as the bytes come, and through memory where a browser cannot", async () => {
    const bytes = testBytes(20 * MIB + 1, 51);
    await put("down/big.bin", bytes);
    const driver = await suite.open();
    const { page } = driver;
    await page.getByRole("button", { name: "Open folder down/" }).click();
    // A program cannot click a file picker, which is no part of the page. The file that it would return is in the browser's own file system.
    await page.evaluate(() => {
      const pick = async ({ suggestedName }: { suggestedName: string }): Promise<FileSystemFileHandle> =>
        (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });
      Object.assign(globalThis, { showSaveFilePicker: pick });
    });
    await page.getByRole("button", { name: "Download big.bin" }).click();
    await driver.untilState("big.bin", "done");
    const written = await page.evaluate(async () => {
      const handle = await (await navigator.storage.getDirectory()).getFileHandle("big.bin");
      const digest = await crypto.subtle.digest("SHA-256", await (await handle.getFile()).arrayBuffer());
      return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    });
    expect(written).toBe(sha256Hex(bytes));
    await page.evaluate(() => Object.assign(globalThis, { showSaveFilePicker: undefined }));
    await page.getByRole("button", { name: "Clear ended" }).click();
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download big.bin" }).click();
    const file = await (await downloading).path();
    expect(
      createHash("sha256")
        .update(await readFile(file))
        .digest("hex"),
    ).toBe(sha256Hex(bytes));
    await driver.close();
  });

  test("deletes an object and a folder, but only when the user agrees", async () => {
    for (const key of ["gone/a.txt", "gone/b.txt", "gone/below/c.txt"]) await put(key, key);
    const { client } = suite.cluster;
    const left = async (): Promise<readonly string[]> => {
      const entries = await allOf(client.listObjects({ bucket: BUCKET, prefix: "gone/" }));
      return entries.map((entry) => (entry.type === "object" ? entry.key : entry.prefix));
    };
    const driver = await suite.open();
    const { page } = driver;
    await page.getByRole("button", { name: "Open folder gone/" }).click();
    await page.getByRole("button", { name: "Delete a.txt" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Keep" }).click();
    expect(await left()).toHaveLength(3);
    await page.getByRole("button", { name: "Delete a.txt" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Preview a.txt" }).waitFor({ state: "detached" });
    expect(await left()).toEqual(["gone/b.txt", "gone/below/c.txt"]);
    await page.getByRole("navigation", { name: "Folder" }).getByRole("button", { name: "All files" }).click();
    await page.getByRole("button", { name: "Delete folder gone/" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Open folder gone/" }).waitFor({ state: "detached" });
    expect(await left()).toEqual([]);
    await driver.close();
  });
});
