import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createClient, gateway } from "@ashlar/sdk";
import { expect, test } from "vitest";
import { startServerProcess } from "../support/server-process.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";
import { masked, ROOT, readExampleReadme, runExample } from "./run-example.ts";

const { commands, outputs } = readExampleReadme("backup");

test("the demonstration prints what its README shows", { timeout: 180_000 }, async () => {
  const { exitCode, stdout, output } = await runExample(commands[0]!).ended;
  expect(exitCode, output).toBe(0);
  expect(masked(stdout)).toBe(masked(outputs[0]!));
});

test("a tar that fails leaves the backup as it was, through a gateway too", { timeout: 180_000 }, async () => {
  await using folder = await createTempFolder();
  const server = await startServerProcess(["serve", "--path", folder.at("store"), "--port", "0"]);
  try {
    const apiKey = String(server.ready.apiKey);
    const env = { ASHLAR_GATEWAY: server.url, ASHLAR_API_KEY: apiKey };
    // The `ashlar` of the example runner, built by the test above or now.
    const script = (name: string, ...given: readonly string[]): string =>
      `cd '${folder.path}' && PATH='${ROOT}node_modules/.cache/ashlar/bin':$PATH bash '${ROOT}examples/backup/${name}' ${given.join(" ")}`;
    await mkdir(folder.at("data", "deep"), { recursive: true });
    await writeFile(folder.at("data", "deep", "file"), testBytes(5_000_000));
    expect((await runExample(script("backup.sh", "backups/data.tar", "data"), env).ended).exitCode).toBe(0);
    await using client = createClient(gateway({ url: server.url, apiKey }));
    const object = client.bucket("backups").object("data.tar");
    const before = await object.head();

    await writeFile(folder.at("data", "deep", "file"), testBytes(5_000_000, 2));
    const failed = await runExample(script("backup.sh", "backups/data.tar", "data", "missing"), env).ended;
    expect(failed.exitCode, failed.output).not.toBe(0);
    expect(await object.head()).toEqual(before);
    const page = await client.listObjectsPage({ bucket: "backups" });
    expect(page.objects.map(({ key }) => key)).toEqual(["data.tar"]);

    expect((await runExample(script("restore.sh", "backups/data.tar", "back"), env).ended).exitCode).toBe(0);
    expect((await readFile(folder.at("back", "data", "deep", "file"))).equals(testBytes(5_000_000))).toBe(true);
    const none = await runExample(script("restore.sh", "backups/none.tar", "back"), env).ended;
    expect(none.exitCode, none.output).not.toBe(0);
    expect(none.output).toContain("OBJECT_NOT_FOUND");
  } finally {
    await server.stop();
  }
});
