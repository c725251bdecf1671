import { writeFile } from "node:fs/promises";
import { MIB } from "@ashlar/sdk";
import { expect, test } from "vitest";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { BUCKET } from "./page-cluster.ts";
import { describePage } from "./page-suite.ts";

const TOKEN_LIFE_S = 3;

describePage(
  "the page in trouble",
  (suite) => {
    test("asks its app for another token when one has ended, and the user notices nothing", async () => {
      const driver = await suite.open();
      const { page } = driver;
      let sessions = 0;
      page.on("request", (request) => {
        if (request.url().endsWith("/api/session")) sessions++;
      });
      const bytes = testBytes(12 * MIB, 61);
      await writeFile(suite.folder.at("token.bin"), bytes);
      await driver.throttle(2 * MIB);
      await page.setInputFiles("#files", suite.folder.at("token.bin"));
      await driver.untilState("token.bin", "done");
      expect(sessions).toBeGreaterThan(0);
      expect(await page.getByRole("alert").textContent()).toBe("");
      expect((await suite.cluster.digestOf("token.bin")).sha256).toBe(sha256Hex(bytes));
      await driver.close();
    });

    test("waits for its app, whose token it needs, as it waits for the store", async () => {
      const driver = await suite.open();
      const { page } = driver;
      const bytes = testBytes(12 * MIB, 65);
      await writeFile(suite.folder.at("app-away.bin"), bytes);
      await driver.holdAfter(1);
      await page.setInputFiles("#files", suite.folder.at("app-away.bin"));
      await expect.poll(() => driver.detail("app-away.bin"), { timeout: 60_000 }).toMatch(/MiB of 12 MiB/);
      let isAsked = false;
      await page.route("**/api/session", async (route) => {
        isAsked = true;
        await route.abort("internetdisconnected").catch(() => {});
      });
      // The token of the first calls has ended when the last chunk is there.
      await new Promise((resolve) => setTimeout(resolve, TOKEN_LIFE_S * 1000));
      await driver.letGo();
      await expect.poll(() => isAsked, { timeout: 60_000 }).toBe(true);
      await page.getByRole("status").filter({ hasText: "Trying again" }).waitFor();
      await page.unroute("**/api/session");
      await driver.untilState("app-away.bin", "done");
      expect((await suite.cluster.digestOf("app-away.bin")).sha256).toBe(sha256Hex(bytes));
      await driver.close();
    });

    test("holds a token of its bucket and no key", async () => {
      const { pageUrl, storeUrl } = suite.cluster.example;
      const ask = (headers: Record<string, string>): Promise<Response> =>
        fetch(new URL("/api/session", pageUrl), { method: "POST", headers });
      const { token } = (await (await ask({})).json()) as { token: string };
      expect(token).not.toMatch(/^ashlar_/);
      const buckets = await fetch(`${storeUrl}/objects/another-bucket`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(buckets.status).toBe(403);
      expect((await ask({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    });

    test("says what is wrong when the network is away, and goes on when it is back", async () => {
      const driver = await suite.open({ hurried: true });
      const { page } = driver;
      const bytes = testBytes(24 * MIB, 62);
      await writeFile(suite.folder.at("offline.bin"), bytes);
      await driver.holdAfter(1);
      await page.setInputFiles("#files", suite.folder.at("offline.bin"));
      await expect.poll(() => driver.detail("offline.bin"), { timeout: 60_000 }).toMatch(/MiB of 24 MiB/);
      await driver.cut();
      await page.getByRole("status").filter({ hasText: "Trying again" }).waitFor();
      const row = page.locator("#transfers li", { hasText: "offline.bin" });
      // It tries for half a minute.
      await driver.hurryUntil(page.locator('#transfers li[data-state="failed"]', { hasText: "offline.bin" }));
      expect(await row.textContent()).toContain("NODE_UNAVAILABLE");
      expect(await row.textContent()).toContain("Check the connection");
      await driver.throttle(undefined);
      await driver.letGo();
      await page.getByRole("button", { name: "Resume offline.bin" }).click();
      await driver.untilState("offline.bin", "done");
      expect((await suite.cluster.digestOf("offline.bin")).sha256).toBe(sha256Hex(bytes));
      await driver.close();
    });

    test("does not offer to send again what the store has refused", async () => {
      const driver = await suite.open();
      const { page } = driver;
      await page.evaluate((folder) => Object.assign(location, { hash: folder.repeat(5) }), `${"x".repeat(200)}/`);
      await expect.poll(() => page.locator("#target").textContent()).toContain("xxx");
      await writeFile(suite.folder.at("a-name-that-is-too-long.bin"), "1");
      await page.setInputFiles("#files", suite.folder.at("a-name-that-is-too-long.bin"));
      await driver.untilState("a-name-that-is-too-long.bin", "failed");
      expect(await page.locator("#transfers li").textContent()).toContain("shorter or plainer name");
      expect(await page.getByRole("button", { name: /^Resume/ }).count()).toBe(0);
      await driver.close();
    });

    test("says that a file is gone if somebody else has deleted it", async () => {
      const { client } = suite.cluster;
      await client.putObject({ bucket: BUCKET, key: "ghost.txt", body: "boo" });
      const driver = await suite.open();
      await driver.page.getByRole("button", { name: "Preview ghost.txt" }).waitFor();
      await client.deleteObject({ bucket: BUCKET, key: "ghost.txt" });
      await driver.page.getByRole("button", { name: "Preview ghost.txt" }).click();
      const alert = driver.page.getByRole("alert");
      await alert.getByText("OBJECT_NOT_FOUND").waitFor();
      expect(await alert.textContent()).toContain("Refresh the list");
      await driver.close();
    });

    test("uploads and reads straight to and from the nodes while one of them is down", async () => {
      const driver = await suite.open();
      const { page } = driver;
      await driver.choose("Direct", "HTTP");
      await suite.cluster.nodes[2]?.kill();
      const bytes = testBytes(20 * MIB, 63);
      await writeFile(suite.folder.at("degraded.bin"), bytes);
      await page.setInputFiles("#files", suite.folder.at("degraded.bin"));
      await driver.untilState("degraded.bin", "done", 120_000);
      expect((await suite.cluster.digestOf("degraded.bin")).sha256).toBe(sha256Hex(bytes));
      await page.evaluate(() => Object.assign(globalThis, { showSaveFilePicker: undefined }));
      await page.getByRole("button", { name: "Clear ended" }).click();
      const downloading = page.waitForEvent("download");
      await page.getByRole("button", { name: "Download degraded.bin" }).click();
      await (await downloading).path();
      await driver.untilState("degraded.bin", "done");
      await driver.close();
    });
  },
  { exampleArgs: ["--token-life", String(TOKEN_LIFE_S)] },
);
