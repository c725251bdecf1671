import { createClient, direct, gateway, KIB, type ObjectClient } from "@ashlar/sdk";
import { systemRandom } from "@ashlar/sdk/ports";
import { createApiKey } from "@ashlar/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";
import { openTransport } from "../support/transports.ts";

let cluster: TestCluster;
let readonly: string;
let readwrite: string;
const ref = { bucket: "box", key: "wall" };
const body = testBytes(200 * KIB);

beforeAll(async () => {
  cluster = await startTestCluster();
  const { metadata, url, apiKey } = cluster;
  const create = async (role: "readonly" | "readwrite"): Promise<string> =>
    (await createApiKey({ metadata, random: systemRandom, name: role, role })).apiKey;
  readonly = await create("readonly");
  readwrite = await create("readwrite");
  await using admin = createClient(gateway({ url, apiKey }));
  await admin.createBucket({ bucket: ref.bucket });
  await admin.putObject({ ...ref, body });
});
afterAll(() => cluster.close());

const TRANSPORTS = ["undici", "fetch", "connect", "grpc-web", "grpc", "grpc-js", "in-process"] as const;
const SEATS = { gateway, direct };
const MATRIX = TRANSPORTS.flatMap((name) => (["gateway", "direct"] as const).map((seat) => [seat, name] as const));

describe.each(MATRIX)("access through the %s seat over %s", (seat, name) => {
  const as = (apiKey: string | undefined): ObjectClient =>
    createClient(SEATS[seat]({ url: cluster.url, apiKey, transport: openTransport(name, cluster) }));

  test.each<[string, () => string | undefined]>([
    ["without a key", () => undefined],
    ["with something that is no key", () => "secret"],
    ["with a key of the right form that nobody issued", () => `ashlar_${"0".repeat(16)}_${"A".repeat(43)}`],
    ["with the wrong secret", () => `${readwrite.slice(0, -4)}AAAA`],
  ])("%s is UNAUTHENTICATED, for reads and writes", async (_, apiKey) => {
    await using client = as(apiKey());
    await expectCode(client.headObject(ref), "UNAUTHENTICATED");
    await expectCode(client.getObject(ref), "UNAUTHENTICATED");
    await expectCode(client.putObject({ ...ref, body: "x" }), "UNAUTHENTICATED");
    await expectCode(client.putObject({ ...ref, body }), "UNAUTHENTICATED");
    await expectCode(client.listBuckets(), "UNAUTHENTICATED");
  });

  test("with a readonly key reads, and writes nothing", async () => {
    await using client = as(readonly);
    expect(await (await client.getObject(ref)).bytes()).toEqual(body);
    expect((await client.listObjectsPage({ bucket: ref.bucket })).objects).toHaveLength(1);
    await expectCode(client.putObject({ ...ref, body: "x" }), "PERMISSION_DENIED");
    await expectCode(client.putObject({ ...ref, body }), "PERMISSION_DENIED");
    await expectCode(client.deleteObject(ref), "PERMISSION_DENIED");
    await expectCode(client.createBucket({ bucket: "other" }), "PERMISSION_DENIED");
    await expectCode(client.createUpload(ref), "PERMISSION_DENIED");
    await expectCode(client.copyObject({ ...ref, sourceBucket: ref.bucket, sourceKey: ref.key }), "PERMISSION_DENIED");
    expect((await client.headObject(ref)).sizeBytes).toBe(body.byteLength);
  });

  test("with a readwrite key writes and deletes", async () => {
    await using client = as(readwrite);
    const own = { bucket: ref.bucket, key: `${seat}-${name}` };
    await client.putObject({ ...own, body });
    expect(await (await client.getObject(own)).bytes()).toEqual(body);
    expect(await client.deleteObject(own)).toBe(true);
  });
});
