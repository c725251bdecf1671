import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runModule } from "./packed-project.ts";

const run = promisify(execFile);

/** A program that embeds a server and calls it over gRPC. */
const APP = `
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { openSqliteMetadataStore } from "@ashlar/adapters/metadata-store/sqlite";
import { grpcTransport } from "@ashlar/adapters/transport/grpc";
import { createClient, gateway } from "@ashlar/sdk";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import { silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { createGateway, noMetrics } from "@ashlar/server";

const metadata = await openSqliteMetadataStore({ path: "embedded/metadata.sqlite", storeFolder: "embedded" });
const server = createGateway({
  ...{ metadata, topology: singleStoreTopology(await openFsChunkStore({ path: "embedded" })), insecure: true },
  ...{ hasher: nodeCryptoHasher, clock: systemClock, random: systemRandom, logger: silentLogger, metrics: noMetrics },
  softwareVersion: "test",
});
const { url } = await server.listen();
const client = createClient(gateway({ url, transport: grpcTransport() }));
await client.createBucket({ bucket: "box" });
await client.putObject({ bucket: "box", key: "a", body: new Uint8Array(3_000_000) });
console.log((await (await client.getObject({ bucket: "box", key: "a" })).bytes()).byteLength);
await client.close();
await server.close();
await metadata.close();
`;

/** The packages in a project that has every optional package but @grpc/grpc-js. */
export function defineWithoutGrpcJs(project: () => string): void {
  describe("without @grpc/grpc-js", () => {
    test("no dependency installs it", () => {
      const folders = ["", "node_modules/@ashlar/server", "node_modules/@ashlar/adapters", "node_modules/.pnpm"];
      for (const folder of folders)
        expect(existsSync(join(project(), folder, "node_modules/@grpc/grpc-js")), folder).toBe(false);
    });

    test("an embedded server speaks gRPC all the same", async () => {
      mkdirSync(join(project(), "embedded"));
      expect(await runModule(project(), APP)).toBe("3000000\n");
    });

    test("the command line says what to install for the one transport that needs it", async () => {
      const ashlar = join(project(), "node_modules", ".bin", "ashlar");
      const args = ["ls", "--gateway", "http://127.0.0.1:1", "--transport", "grpc-js", "--json"];
      const failed: unknown = await run(ashlar, args, { cwd: project() }).catch((error: unknown) => error);
      const { stderr } = failed as { readonly stderr: string };
      expect(JSON.parse(stderr)).toMatchObject({
        error: { code: "UNSUPPORTED", message: expect.stringContaining("npm install @grpc/grpc-js") },
      });
    });
  });
}
