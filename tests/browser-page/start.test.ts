import { writeFile } from "node:fs/promises";
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, test } from "vitest";
import { findChromium } from "../support/chromium.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { startExample } from "./example-process.ts";
import { launchChromium, openPage } from "./page-driver.ts";

describe.skipIf(findChromium() === undefined)("the example, as a newcomer starts it,", { timeout: 180_000 }, () => {
  let browser: Browser;
  let folder: TempFolder;
  beforeAll(async () => {
    [browser, folder] = await Promise.all([launchChromium(), createTempFolder()]);
  });
  afterAll(async () => {
    await browser?.close();
    await folder?.remove();
  });

  test.each([
    ["one server", []],
    ["one server, and the page from Vite's development server", ["--dev"]],
    ["a cluster of six nodes", ["--cluster"]],
  ])("has a store of its own: %s, and finds its files again", async (title, args) => {
    const path = folder.at(title.replaceAll(/\W/g, "-"));
    await writeFile(folder.at("hello.txt"), "hello");
    const first = await startExample(["--path", path, ...args]);
    const driver = await openPage(browser, first.pageUrl);
    await driver.choose("Direct", "gRPC-Web", { nodes: args.includes("--cluster") });
    await driver.page.setInputFiles("#files", folder.at("hello.txt"));
    await driver.untilState("hello.txt", "done");
    await driver.close();
    await first.stop();
    const second = await startExample(["--path", path, ...args]);
    const again = await openPage(browser, second.pageUrl);
    await again.page.getByRole("button", { name: "Preview hello.txt" }).click();
    await again.page.getByRole("dialog").getByText("hello", { exact: true }).waitFor();
    await again.close();
    await second.stop();
  });
});
