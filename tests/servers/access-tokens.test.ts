/** A page with access tokens against real processes: a gateway, three storage nodes and PostgreSQL. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createClient, direct, fixed, gateway, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli } from "../support/cli.ts";
import { expectCode } from "../support/expect-code.ts";
import { freshDatabase } from "../support/fresh-database.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { openTransport } from "../support/transports.ts";

const NOBODY = { fetch: () => Promise.reject(new Error("nothing runs in this process")) };
const SEATS = { gateway, direct };
const MATRIX = (["fetch", "connect", "grpc-web"] as const).flatMap((name) =>
  (["gateway", "direct"] as const).map((seat) => [seat, name] as const),
);
let folder: TempFolder;
let env: Record<string, string>;
let gatewayProcess: ServerProcess;
let otherGateway: ServerProcess;
const nodes: ServerProcess[] = [];
let server: ObjectClient;

beforeAll(async () => {
  folder = await createTempFolder();
  env = { DATABASE_URL: await freshDatabase("access_tokens"), CLUSTER_KEY: randomBytes(32).toString("hex") };
  gatewayProcess = await startServerProcess(["gateway", "--port", "0"], env);
  otherGateway = await startServerProcess(["gateway", "--port", "0"], env);
  const node = (id: string): Promise<ServerProcess> =>
    startServerProcess(["node", "--server-id", id, "--data-dir", join(folder.path, id), "--port", "0"], {
      ...env,
      ASHLAR_DURABILITY: "os",
    });
  nodes.push(...(await Promise.all(["n1", "n2", "n3"].map(node))));
  server = createClient(gateway({ url: gatewayProcess.url, apiKey: String(gatewayProcess.ready.apiKey) }));
  await server.createBucket({ bucket: "box" });
  await server.putObject({ bucket: "box", key: "users/2/secret", body: "not yours" });
}, 120_000);

afterAll(async () => {
  await server?.close();
  await Promise.all([...nodes, gatewayProcess, otherGateway].map((each) => each?.kill()));
  await folder?.[Symbol.asyncDispose]();
}, 60_000);

describe.each(MATRIX)("a page in the %s seat over %s", (seat, name) => {
  const open = (apiKey: string | (() => Promise<string>), url = gatewayProcess.url): ObjectClient =>
    createClient(SEATS[seat]({ url, apiKey, transport: openTransport(name, NOBODY), durability: "os" }));

  it("uploads and downloads under tokens of two seconds, which it renews on the way", { timeout: 60_000 }, async () => {
    let asked = 0;
    await using page = open(async () => {
      asked++;
      return (await server.createAccessToken({ bucket: "box", prefix: "users/1/", expiresInMs: 2000 })).token;
    });
    const ref = { bucket: "box", key: `users/1/${seat}-${name}` };
    const slices = Array.from({ length: 8 }, (_, index) => testBytes(512 * KIB, index));
    async function* slowly(): AsyncGenerator<Uint8Array> {
      for (const slice of slices) {
        await new Promise((resolve) => setTimeout(resolve, 350));
        yield slice;
      }
    }
    const put = await page.putObject({ ...ref, body: slowly(), chunker: fixed(512 * KIB) });
    expect(put.sizeBytes).toBe(4 * MIB);
    expect(asked).toBeGreaterThan(1);
    const bytes = await page.bucket("box").object(ref.key).bytes();
    expect(sha256Hex(bytes)).toBe(sha256Hex(Buffer.concat(slices)));
    await expectCode(page.getObject({ bucket: "box", key: "users/2/secret" }), "PERMISSION_DENIED");
    await expectCode(page.putObject({ bucket: "box", key: "users/2/secret", body: bytes }), "PERMISSION_DENIED");
    expect(await server.bucket("box").object("users/2/secret").text()).toBe("not yours");
  });

  it("goes on with an upload when the gateway was frozen for longer than its token lives", {
    timeout: 60_000,
  }, async () => {
    const ref = { bucket: "box", key: `users/1/${seat}-${name}-frozen` };
    await using app = createClient(gateway({ url: otherGateway.url, apiKey: String(gatewayProcess.ready.apiKey) }));
    const endsMs: number[] = [];
    await using page = open(async () => {
      const request = { bucket: "box", prefix: "users/1/", expiresInMs: 2000 };
      const { token, expiresAtMs } = await app.createAccessToken(request);
      endsMs.push(expiresAtMs);
      return token;
    });
    const slices = Array.from({ length: 6 }, (_, index) => testBytes(512 * KIB, 100 + index));
    let thawed: { readonly heldEndMs: number; readonly atMs: number } | undefined;
    async function* freezing(): AsyncGenerator<Uint8Array> {
      for (const [index, slice] of slices.entries()) {
        // The chunks before it may be on their way, stored, or waiting for their answer.
        if (index === 3) {
          const heldEndMs = endsMs.at(-1) ?? Number.NaN;
          gatewayProcess.freeze();
          setTimeout(
            () => {
              thawed = { heldEndMs, atMs: Date.now() };
              gatewayProcess.thaw();
            },
            heldEndMs - Date.now() + 500,
          );
        }
        yield slice;
      }
    }
    // The body is pulled before the first ticket is asked for: without this, the page would hold no token yet when the gateway freezes.
    await page.listObjects({ bucket: "box", prefix: "users/1/" })[Symbol.asyncIterator]().next();
    expect(endsMs).toHaveLength(1);
    await page.putObject({ ...ref, body: freezing(), chunker: fixed(512 * KIB) });
    // It was still frozen when the token that the page held ended.
    expect(thawed?.atMs).toBeGreaterThan(thawed?.heldEndMs ?? Number.NaN);
    expect(endsMs.length).toBeGreaterThan(1);
    const bytes = await page.bucket("box").object(ref.key).bytes();
    expect(sha256Hex(bytes)).toBe(sha256Hex(Buffer.concat(slices)));
  });

  it("is accepted by another gateway of the cluster too, within the role of its token", async () => {
    const { token } = await server.createAccessToken({ bucket: "box", prefix: "users/1/", role: "readonly" });
    await using page = open(token, otherGateway.url);
    expect(await page.headObject({ bucket: "box", key: `users/1/${seat}-${name}` })).toMatchObject({
      sizeBytes: 4 * MIB,
    });
    await expectCode(
      page.putObject({ bucket: "box", key: "users/1/x", body: testBytes(90 * KIB) }),
      "PERMISSION_DENIED",
    );
  });
});

it("a token ends with the API key that made it: at once at a gateway that has not used the key lately", async () => {
  const made = await cli(["key", "create", "--name", "app", "--json"], { env });
  const { apiKey, keyId } = JSON.parse(made.stdout) as { apiKey: string; keyId: string };
  await using app = createClient(gateway({ url: gatewayProcess.url, apiKey }));
  const { token } = await app.createAccessToken({ bucket: "box" });
  await using page = createClient(gateway({ url: otherGateway.url, apiKey: token }));
  expect((await cli(["key", "rm", keyId], { env })).exitCode).toBe(0);
  const error = await expectCode(page.headBucket({ bucket: "box" }), "UNAUTHENTICATED");
  expect(error.message).toContain("was deleted");
});
