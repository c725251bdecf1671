import { mkdir, writeFile } from "node:fs/promises";
import { KIB, MIB } from "@ashlar/sdk";
import type { Page } from "playwright";
import { expect, test } from "vitest";
import { testBytes } from "../support/test-bytes.ts";
import { BUCKET } from "./page-cluster.ts";
import { describePage } from "./page-suite.ts";

const namesOf = (page: Page): Promise<string[]> =>
  page.locator("#objects tbody .given").evaluateAll((names) => names.map((name) => name.textContent ?? ""));

describePage("the page with many files", (suite) => {
  const put = (key: string, body: string | Uint8Array): Promise<unknown> =>
    suite.cluster.client.putObject({ bucket: BUCKET, key, body });

  test("searches and sorts a folder, beyond the page that is shown", async () => {
    const keys = Array.from({ length: 230 }, (_, index) => `sorted/${String(index).padStart(3, "0")}.txt`);
    await Promise.all(keys.map((key) => put(key, key)));
    await put("sorted/ZEBRA.bin", testBytes(40 * KIB));
    const driver = await suite.open();
    const { page } = driver;
    await page.getByRole("button", { name: "Open folder sorted/" }).click();
    await page.getByRole("button", { name: "Preview 099.txt" }).waitFor();
    const search = page.getByRole("searchbox", { name: "Search this folder" });
    await search.fill("zebra");
    await page.getByRole("button", { name: "Preview ZEBRA.bin" }).waitFor();
    expect(await namesOf(page)).toEqual(["ZEBRA.bin"]);
    await search.fill("no such name");
    await page.getByText("No name here has").waitFor();
    await search.fill("");
    await page.getByRole("combobox", { name: "Order of the files" }).selectOption("largest");
    await expect.poll(async () => (await namesOf(page))[0]).toBe("ZEBRA.bin");
    // The other rows are drawn as the user scrolls to them.
    expect((await namesOf(page)).length).toBeLessThan(231);
    await expect
      .poll(async () => {
        await page.mouse.wheel(0, 4000);
        return (await namesOf(page)).length;
      })
      .toBe(231);
    await driver.close();
  });

  test("says what a search has looked at, while it works and when it fails", async () => {
    const keys = Array.from({ length: 130 }, (_, index) => `searched/${String(index).padStart(3, "0")}.txt`);
    await Promise.all(keys.map((key) => put(key, key)));
    const driver = await suite.open();
    const { page } = driver;
    await page.getByRole("button", { name: "Open folder searched/" }).click();
    await page.getByRole("button", { name: "Preview 000.txt" }).waitFor();
    let lose = (): void => {};
    const held = new Promise<void>((resolve) => {
      lose = resolve;
    });
    await page.route(/ListObjects$/, (route) => held.then(() => route.abort()));
    const search = page.getByRole("searchbox", { name: "Search this folder" });
    const said = page.locator("#objects .empty");
    await search.fill("129");
    await page.getByText("Looking at the rest").waitFor();
    expect(await said.textContent()).toContain("among the first 100");
    lose();
    await page.getByText("The rest could not be looked at").waitFor();
    expect(await said.textContent()).toContain("among the first 100");
    expect(await page.locator("#objects").getByRole("alert").textContent()).toContain("Could not list the files");
    await page.unrouteAll();
    await page.getByRole("button", { name: "Refresh" }).click();
    await page.getByRole("button", { name: "Preview 129.txt" }).waitFor();
    await driver.close();
  });

  test("searches all of a folder also where its first page had not come yet", async () => {
    const keys = Array.from({ length: 130 }, (_, index) => `early/${String(index).padStart(3, "0")}.txt`);
    await Promise.all(keys.map((key) => put(key, key)));
    const driver = await suite.open();
    const { page } = driver;
    const folder = page.getByRole("button", { name: "Open folder early/" });
    await folder.waitFor();
    let pass = (): void => {};
    const held = new Promise<void>((resolve) => {
      pass = resolve;
    });
    await page.route(/ListObjects$/, (route) => held.then(() => route.continue()));
    await folder.click();
    await page.getByRole("searchbox", { name: "Search this folder" }).fill("129");
    await page.getByText("Looking …").waitFor();
    pass();
    await page.getByRole("button", { name: "Preview 129.txt" }).waitFor();
    await page.unrouteAll();
    await driver.close();
  });

  test("shows what a name hides, and an honest name as it is", async () => {
    const shown = {
      "\u202egpj.exe": "\\u202egpj.exe",
      "zero\u200bwidth": "zero\\u200bwidth",
      " ": "\\x20",
      "שלום.txt": "שלום.txt",
    };
    for (const name of Object.keys(shown)) await put(`spoofed/${name}`, name);
    const driver = await suite.open();
    const { page } = driver;
    await page.getByRole("button", { name: "Open folder spoofed/" }).click();
    await page.getByRole("button", { name: "Preview שלום.txt" }).waitFor();
    expect((await namesOf(page)).toSorted()).toEqual(Object.values(shown).toSorted());
    for (const name of Object.values(shown)) {
      const button = page.getByRole("button", { name: `Preview ${name}`, exact: true });
      expect(await button.getAttribute("title")).toBe(name);
    }
    await page.getByRole("button", { name: "Preview \\u202egpj.exe" }).click();
    expect(await page.getByRole("dialog").locator(".given").textContent()).toBe("\\u202egpj.exe");
    await driver.close();
  });

  test("keeps the focus next to what was deleted, and says that it is gone", async () => {
    for (const name of ["a", "b", "c"]) await put(`focus/${name}.txt`, name);
    const driver = await suite.open();
    const { page } = driver;
    const focused = (): Promise<string | null | undefined> =>
      page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    await page.getByRole("button", { name: "Open folder focus/" }).click();
    for (const [name, next] of [
      ["b.txt", "Preview c.txt"],
      ["c.txt", "Preview a.txt"],
      ["a.txt", "Search this folder"],
    ] as const) {
      await page.getByRole("button", { name: `Delete ${name}` }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await page
        .getByRole("status")
        .filter({ hasText: `${name} was deleted` })
        .waitFor({ state: "attached" });
      await expect.poll(focused).toBe(next);
    }
    await driver.close();
  });

  test("shows files of an upload that goes on, and what runs above what waits", async () => {
    const folder = suite.folder.at("flood");
    await mkdir(folder);
    const names = Array.from({ length: 150 }, (_, index) => `f${String(index).padStart(3, "0")}.bin`);
    await Promise.all(names.map((name) => writeFile(`${folder}/${name}`, testBytes(64 * KIB))));
    await writeFile(`${folder}/zz-last.bin`, testBytes(3 * MIB));
    const driver = await suite.open();
    const { page } = driver;
    await driver.throttle(2 * MIB);
    await page.setInputFiles("#folder", folder);
    await page.getByRole("button", { name: "Open folder flood/" }).click();
    await page.getByRole("button", { name: "Preview f000.bin" }).waitFor();
    // The last file has not even begun when the first is in the list.
    expect(await page.getByRole("button", { name: "Preview zz-last.bin" }).count()).toBe(0);
    const states = await page
      .locator("#transfers li")
      .evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.state ?? ""));
    expect(states.length).toBeLessThanOrEqual(100);
    const ranks = states.map((state) =>
      ["finishing", "moving", "checking"].includes(state) ? 0 : state === "waiting" ? 1 : 2,
    );
    expect(ranks).toEqual(ranks.toSorted());
    await driver.throttle(undefined);
    await driver.untilState("zz-last.bin", "done");
    await driver.close();
  });

  test("has only targets of 40 pixels and more on a phone", async () => {
    await put("phone/photo.jpg", "not really");
    const context = await suite.browser.newContext({
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
    });
    const page = await context.newPage();
    await page.goto(`${suite.cluster.example.pageUrl}#phone/`);
    await page
      .getByRole("button", { name: /^Preview|^Open folder/ })
      .first()
      .waitFor();
    const small = await page
      .locator("button:visible, select:visible, input[type=search]:visible, .choice span:visible")
      .evaluateAll((targets) =>
        targets
          .map((target) => ({ text: target.textContent, box: target.getBoundingClientRect() }))
          .filter(({ box }) => box.width < 40 || box.height < 40)
          .map(({ text, box }) => `${text}: ${Math.round(box.width)} × ${Math.round(box.height)}`),
      );
    expect(small).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await context.close();
  });
});
