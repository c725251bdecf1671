/** A page's life with access tokens: the app's server asks for one, the page works with it, in both seats and over every transport. */
import { embedded } from "@ashlar/adapters/embedded";
import { type AccessTokenRequest, createClient, direct, gateway, KIB, type ObjectClient } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";
import { openTransport } from "../support/transports.ts";

const PREFIX = "users/1/";
const SEATS = { gateway, direct };
const TRANSPORTS = ["undici", "fetch", "connect", "grpc-web", "grpc", "grpc-js", "in-process"] as const;
const MATRIX = TRANSPORTS.flatMap((name) => (["gateway", "direct"] as const).map((seat) => [seat, name] as const));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let cluster: TestCluster;
let admin: ObjectClient;
beforeAll(async () => {
  cluster = await startTestCluster();
  admin = createClient(gateway({ url: cluster.url, apiKey: cluster.apiKey }));
  for (const bucket of ["box", "other"]) await admin.createBucket({ bucket });
  await admin.putObject({ bucket: "box", key: "users/2/secret", body: "not yours" });
});
afterAll(async () => {
  await admin.close();
  await cluster.close();
});

describe.concurrent.each(MATRIX)("an access token in the %s seat over %s", (seat, name) => {
  const as = (apiKey: string | (() => string | Promise<string>)): ObjectClient =>
    createClient(SEATS[seat]({ url: cluster.url, apiKey, transport: openTransport(name, cluster) }));

  test("is made by the app's server and lets a page work in its prefix, and nowhere else", async () => {
    await using server = as(cluster.apiKey);
    const before = Date.now();
    const { token, expiresAtMs } = await server.createAccessToken({
      bucket: "box",
      prefix: PREFIX,
      expiresInMs: 60_000,
    });
    expect(Math.abs(expiresAtMs - before - 60_000)).toBeLessThan(10_000);
    await using page = as(token);
    // All run at once: no key may begin with the key of another test.
    const ref = { bucket: "box", key: `${PREFIX}${seat}-${name}.bin` };
    const body = testBytes(300 * KIB);
    const put = await page.putObject({ ...ref, body });
    expect(await (await page.getObject(ref)).bytes()).toEqual(body);
    expect(await page.bucket("box").object(ref.key).slice(5, 10).bytes()).toEqual(body.subarray(5, 10));
    await page.putObject({ ...ref, key: `${ref.key}-small`, body: "small", ifNoneMatch: "*" });
    await page.copyObject({ bucket: "box", key: `${ref.key}-copy`, sourceBucket: "box", sourceKey: ref.key });
    const { uploadId } = await page.createUpload({ ...ref, key: `${ref.key}-parts` });
    const part = await page.writePart({ uploadId, partNumber: 1, body });
    await page.completeUpload({ uploadId, parts: [part] });
    const keys = (await page.listObjectsPage({ bucket: "box", prefix: ref.key })).objects.map(({ key }) => key);
    expect(keys).toEqual(["", "-copy", "-parts", "-small"].map((end) => ref.key + end));
    expect(sha256Hex(await page.bucket("box").object(`${ref.key}-parts`).bytes())).toBe(put.sha256);
    expect(await page.headBucket({ bucket: "box" })).toMatchObject({ bucket: "box" });
    expect((await page.cluster()).nodes).toHaveLength(3);
    expect((await page.deleteObjects({ bucket: "box", keys })).every(({ deleted }) => deleted)).toBe(true);

    const outside = { bucket: "box", key: "users/2/secret" };
    const calls: ReadonlyArray<() => Promise<unknown>> = [
      () => page.getObject(outside),
      () => page.headObject(outside),
      () => page.putObject({ ...outside, body: "x" }),
      () => page.putObject({ ...outside, body }),
      () => page.putObject({ bucket: "other", key: ref.key, body }),
      () => page.deleteObject(outside),
      () => page.copyObject({ ...ref, sourceBucket: "box", sourceKey: outside.key }),
      () => page.createUpload(outside),
      () => page.listObjectsPage({ bucket: "box" }),
      () => page.listBuckets(),
      () => page.createBucket({ bucket: "fresh" }),
      () => page.deleteBucket({ bucket: "box" }),
      () => page.createAccessToken({ bucket: "box", prefix: PREFIX }),
    ];
    for (const call of calls) await expectCode(call(), "PERMISSION_DENIED");
    const denied = await page.deleteObjects({ bucket: "box", keys: [outside.key] });
    expect(denied[0]).toMatchObject({ deleted: false, error: { code: "PERMISSION_DENIED" } });
    expect(await admin.bucket("box").object(outside.key).text()).toBe("not yours");
  });

  test("of role readonly writes nothing", async () => {
    await using server = as(cluster.apiKey);
    const { token } = await server.createAccessToken({ bucket: "box", role: "readonly" });
    await using page = as(token);
    expect(await page.bucket("box").object("users/2/secret").text()).toBe("not yours");
    await expectCode(page.putObject({ bucket: "box", key: "x", body: "x" }), "PERMISSION_DENIED");
    await expectCode(page.putObject({ bucket: "box", key: "x", body: testBytes(100 * KIB) }), "PERMISSION_DENIED");
  });

  /** Long enough for two calls on a busy machine. */
  const EXPIRES_IN_MS = 4000;

  test("that has expired says so, and one that a function gives is replaced without an error", async () => {
    await using server = as(cluster.apiKey);
    const give = async (expiresInMs: number): Promise<string> =>
      (await server.createAccessToken({ bucket: "box", expiresInMs })).token;
    const token = await give(EXPIRES_IN_MS);
    let asked = 0;
    await using fixed = as(token);
    await using renewing = as(() => {
      asked++;
      return asked === 1 ? token : give(60_000);
    });
    await Promise.all([fixed, renewing].map((page) => page.headBucket({ bucket: "box" })));
    await sleep(EXPIRES_IN_MS + 50);
    const error = await expectCode(fixed.headBucket({ bucket: "box" }), "UNAUTHENTICATED");
    expect(error.message).toContain("the access token has expired");
    const writes = [1, 2, 3].map((index) =>
      renewing.putObject({ bucket: "box", key: `renewed/${seat}-${name}-${index}`, body: testBytes(90 * KIB, index) }),
    );
    expect(await Promise.all(writes)).toHaveLength(3);
    expect(asked).toBe(2);
  });

  test.each<[string, Partial<AccessTokenRequest> & { readonly role?: never }, string]>([
    ["a life of nothing", { expiresInMs: 0 }, "INVALID_ARGUMENT"],
    ["a life that has passed", { expiresInMs: -1 }, "INVALID_ARGUMENT"],
    ["a life of half a millisecond more", { expiresInMs: 60_000.5 }, "INVALID_ARGUMENT"],
    ["a life of more than 12 hours", { expiresInMs: 12 * 3_600_000 + 1 }, "INVALID_ARGUMENT"],
    ["an unknown role", { role: "admin" as never }, "INVALID_ARGUMENT"],
    ["a bucket that is not there", { bucket: "nowhere" }, "BUCKET_NOT_FOUND"],
    ["an invalid bucket name", { bucket: "No" }, "INVALID_BUCKET_NAME"],
    ["a prefix that is no UTF-8", { prefix: "\ud800" }, "INVALID_ARGUMENT"],
  ])("is not made for %s", async (_, request, code) => {
    await using server = as(cluster.apiKey);
    await expectCode(server.createAccessToken({ bucket: "box", ...request }), code as "INVALID_ARGUMENT");
  });
});

describe.each(["gateway", "direct"] as const)("tokens of two seconds under load in the %s seat", (seat) => {
  test("fail no call, and are asked for again when they expire", { timeout: 60_000 }, async () => {
    const TOKEN_MS = 2000;
    let asked = 0;
    const apiKey = async (): Promise<string> => {
      asked++;
      return (await admin.createAccessToken({ bucket: "box", prefix: "load/", expiresInMs: TOKEN_MS })).token;
    };
    await using page = createClient(
      SEATS[seat]({ url: cluster.url, apiKey, transport: openTransport("undici", cluster) }),
    );
    const startedAtMs = performance.now();
    const endAtMs = startedAtMs + 3 * TOKEN_MS;
    let calls = 0;
    const work = async (worker: number): Promise<void> => {
      while (performance.now() < endAtMs) {
        const ref = { bucket: "box", key: `load/${seat}-${worker}` };
        const body = testBytes(70 * KIB, worker);
        await page.putObject({ ...ref, body });
        expect(await (await page.getObject(ref)).bytes()).toEqual(body);
        await page.listObjectsPage({ bucket: "box", prefix: ref.key });
        calls += 3;
      }
    };
    /** One upload that lasts longer than several tokens; its ticket is renewed meanwhile. */
    async function* slowly(): AsyncGenerator<Uint8Array> {
      for (let index = 0; index < 16; index++) {
        yield testBytes(256 * KIB, 100 + index);
        await sleep(TOKEN_MS / 5);
      }
    }
    const slow = page.putObject({ bucket: "box", key: `load/${seat}-slow`, body: slowly() });
    await Promise.all([...Array.from({ length: 8 }, (_, worker) => work(worker)), slow]);
    expect((await slow).sizeBytes).toBe(16 * 256 * KIB);
    expect(calls).toBeGreaterThan(0);
    // Three lifetimes of a token have passed. Refused calls ask for the next token; calls at the same time may ask for it twice.
    expect(asked).toBeGreaterThanOrEqual(3);
    expect(asked).toBeLessThanOrEqual(2 + (2 * (performance.now() - startedAtMs)) / TOKEN_MS);
  });
});

test("the embedded seat makes no access tokens, as it asks for no key", async () => {
  await using folder = await createTempFolder();
  await using client = createClient(embedded({ path: folder.at("store") }));
  await client.createBucket({ bucket: "box" });
  const error = await expectCode(client.createAccessToken({ bucket: "box" }), "UNSUPPORTED");
  expect(error.message).toContain("embedded");
});
