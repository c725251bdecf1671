/** Plain HTTP of a gateway against access tokens, and how they are asked for there. */
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RawAnswer, rawRequest } from "../../http/testing/raw-request.ts";
import { startTokenCluster, type TokenCluster } from "../testing/token-cluster.ts";

const PREFIX = "users/1/";
const BODY = new TextEncoder().encode("0123456789");
let cluster: TokenCluster;

beforeAll(async () => {
  cluster = await startTokenCluster({
    metadata: createMemoryMetadataStore({ replicationFactor: 3 }),
    hasher: nodeCryptoHasher,
    transport: undiciTransport(),
    openStore: () => createMemoryChunkStore(),
  });
  const objects = cluster.client.objects(cluster.keys.admin);
  for (const bucket of ["mine", "theirs"]) {
    await objects.createBucket({ bucket });
    for (const key of ["users/1/a", "users/2/a"]) await objects.writeObject({ header: { bucket, key }, data: BODY });
  }
});
afterAll(() => cluster.close());

interface Request {
  readonly method: string;
  readonly path: string;
  readonly copyFrom?: string;
  readonly body?: Uint8Array;
}

const send = ({ method, path, copyFrom, body }: Request, token: string | undefined): Promise<RawAnswer> =>
  rawRequest(cluster.url, path, {
    method,
    body,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(copyFrom === undefined ? {} : { "ashlar-copy-source": copyFrom }),
      ...(body === undefined ? {} : { "content-length": String(body.byteLength) }),
    },
  });

/** The code of the error, or the status of a success. */
const outcome = async (request: Request, token: string | undefined): Promise<string | number> => {
  const { status, headers } = await send(request, token);
  return String(headers["ashlar-error-code"] ?? "") || status;
};

type MakeRequest = (bucket: string, key: string) => Request;

/** Every route that an access token may take, with its good status. */
const ROUTES: ReadonlyArray<readonly [name: string, writes: boolean, status: number, make: MakeRequest]> = [
  ["GET an object", false, 200, (bucket, key) => ({ method: "GET", path: `/objects/${bucket}/${key}` })],
  ["HEAD an object", false, 200, (bucket, key) => ({ method: "HEAD", path: `/objects/${bucket}/${key}` })],
  ["PUT an object", true, 200, (bucket, key) => ({ method: "PUT", path: `/objects/${bucket}/${key}-b`, body: BODY })],
  ["DELETE an object", true, 204, (bucket, key) => ({ method: "DELETE", path: `/objects/${bucket}/${key}-b` })],
  ["list", false, 200, (bucket, key) => ({ method: "GET", path: `/objects/${bucket}?prefix=${key}` })],
  [
    "copy",
    true,
    200,
    (bucket, key) => ({ method: "PUT", path: `/objects/${bucket}/${key}-c`, copyFrom: `${bucket}/${key}` }),
  ],
];

describe.each(ROUTES)("%s with an access token", (_, writes, status, make) => {
  it("works in its scope, in whatever escaping", async () => {
    const token = await cluster.token({ bucket: "mine", prefix: PREFIX });
    expect(await outcome(make("mine", "users/1/a"), token)).toBe(status);
    expect(await outcome(make("mine", "users%2F1%2Fa"), token)).toBe(status);
  });

  it("is denied outside", async () => {
    const token = await cluster.token({ bucket: "mine", prefix: PREFIX });
    for (const [bucket, key] of [
      ["theirs", "users/1/a"],
      ["mine", "users/2/a"],
      ["mine", "users%2F2%2Fa"],
      ["mine", "users/%31"],
      ["none", "users/1/a"],
      ["mine", "/users/1/a"],
    ] as const) {
      const code = await outcome(make(bucket, key), token);
      // A path with an empty segment is a key of its own, which begins with a slash.
      expect(code, `${bucket} ${key}`).toBe("PERMISSION_DENIED");
    }
  });

  it("of role readonly reads only", async () => {
    const token = await cluster.token({ bucket: "mine", prefix: PREFIX }, cluster.keys.readonly);
    expect(await outcome(make("mine", "users/1/a"), token)).toBe(writes ? "PERMISSION_DENIED" : status);
  });

  it("that has expired, was tampered with, or has lost the key that issued it is UNAUTHENTICATED", async () => {
    const { record } = await cluster.newKey("readwrite");
    const claims = { apiKeyId: record.keyId, role: "readwrite", bucket: "mine", prefix: PREFIX } as const;
    const good = await cluster.keeper.issueAccess({ ...claims, expiresAtMs: Date.now() + 60_000 });
    const expired = await cluster.keeper.issueAccess({ ...claims, expiresAtMs: Date.now() - 1 });
    await cluster.metadata.deleteApiKey(record.keyId);
    for (const token of [expired, good, `${good.slice(0, -2)}AA`, undefined])
      expect(await outcome(make("mine", "users/1/a"), token)).toBe("UNAUTHENTICATED");
  });
});

describe("the rest of plain HTTP with an access token", () => {
  it("shows no buckets, and makes and deletes none", async () => {
    const token = await cluster.token({ bucket: "mine" });
    for (const [method, path] of [
      ["GET", "/objects"],
      ["GET", "/objects/"],
      ["PUT", "/objects/fresh"],
      ["PUT", "/objects/mine"],
      ["DELETE", "/objects/mine"],
      ["POST", "/access-tokens"],
    ] as const) {
      expect(await outcome({ method, path, body: BODY }, token), path).toBe("PERMISSION_DENIED");
    }
    expect(await outcome({ method: "HEAD", path: "/objects/mine" }, token)).toBe(200);
    expect(await outcome({ method: "HEAD", path: "/objects/theirs" }, token)).toBe("PERMISSION_DENIED");
    expect((await cluster.metadata.listBuckets()).map(({ bucket }) => bucket)).toEqual(["mine", "theirs"]);
  });

  it("copies neither from nor to places out of its scope", async () => {
    const token = await cluster.token({ bucket: "mine", prefix: PREFIX });
    const copy = (path: string, copyFrom: string): Promise<string | number> =>
      outcome({ method: "PUT", path: `/objects/${path}`, copyFrom }, token);
    expect(await copy("mine/users/1/z", "/mine/users/1/a")).toBe(200);
    for (const from of ["mine/users/2/a", "/mine/users/2/a", "theirs/users/1/a", "mine/users%2F2%2Fa"])
      expect(await copy("mine/users/1/z", from), from).toBe("PERMISSION_DENIED");
    for (const to of ["mine/users/2/z", "theirs/users/1/z"])
      expect(await copy(to, "mine/users/1/a"), to).toBe("PERMISSION_DENIED");
  });

  it("takes no second prefix, as the listing does not either", async () => {
    const token = await cluster.token({ bucket: "mine", prefix: PREFIX });
    const list = (query: string): Promise<RawAnswer> => send({ method: "GET", path: `/objects/mine?${query}` }, token);
    for (const query of ["prefix=users/2/&prefix=users/1/", "prefix=users/1/&prefix=users/2/"])
      expect((await list(query)).status, query).toBe(400);
    for (const query of ["", "prefix=", "Prefix=users/1/", "prefix=users/1"])
      expect((await list(query)).status, query).toBe(403);
  });

  it("is turned away before the body is read", async () => {
    const token = await cluster.token({ bucket: "mine", prefix: PREFIX });
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield new Uint8Array(65_536);
    }
    const answer = await rawRequest(cluster.url, "/objects/mine/users/2/big", {
      method: "PUT",
      headers: { authorization: `Bearer ${token}` },
      body: endless(),
    });
    expect(answer.status).toBe(403);
  });
});

describe("CreateAccessToken in the Connect protocol's JSON", () => {
  it.each([
    { bucket: "mine", prefx: "users/1/" },
    { bucket: "mine", role: "ACCESS_ROLE_READONLY" },
    { bucket: "mine", role: "read-only" },
    { bucket: "mine", role: 9 },
  ])("gives no token if anything is misspelt: %o", async (body) => {
    const answer = await rawRequest(cluster.url, "/ashlar.v1.ObjectService/CreateAccessToken", {
      method: "POST",
      headers: { authorization: `Bearer ${cluster.keys.readwrite}`, "content-type": "application/json" },
      body: new TextEncoder().encode(JSON.stringify(body)),
    });
    expect([answer.status, answer.json().code]).toEqual([400, "invalid_argument"]);
  });
});

describe("POST /access-tokens", () => {
  const ask = (body: unknown, apiKey = cluster.keys.readwrite, method = "POST"): Promise<RawAnswer> =>
    rawRequest(cluster.url, "/access-tokens", {
      method,
      headers: { authorization: `Bearer ${apiKey}` },
      ...(method === "GET"
        ? {}
        : { body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)) }),
    });

  it("answers a token, its end, and that no cache may keep it", async () => {
    const before = Date.now();
    const answer = await ask({ bucket: "mine", prefix: PREFIX, role: "readonly", expiresInMs: 60_000 });
    expect([answer.status, answer.headers["cache-control"]]).toEqual([201, "no-store"]);
    const { token, expiresAtMs } = answer.json() as { token: string; expiresAtMs: string };
    expect(Number(expiresAtMs) - before).toBeGreaterThanOrEqual(60_000);
    expect(Number(expiresAtMs) - before).toBeLessThan(70_000);
    expect(await outcome({ method: "GET", path: "/objects/mine/users/1/a" }, token)).toBe(200);
    expect(await outcome({ method: "DELETE", path: "/objects/mine/users/1/a" }, token)).toBe("PERMISSION_DENIED");
  });

  it("lives 15 minutes by default, 12 hours at most", async () => {
    const life = async (expiresInMs?: number): Promise<number | string> => {
      const answer = await ask({ bucket: "mine", expiresInMs });
      if (answer.status !== 201) return String(answer.json().code);
      return Math.round((Number(answer.json().expiresAtMs) - Date.now()) / 10_000) * 10_000;
    };
    expect(await life()).toBe(15 * 60_000);
    expect(await life(12 * 3_600_000)).toBe(12 * 3_600_000);
    for (const bad of [12 * 3_600_000 + 1, 999, 1]) expect(await life(bad)).toBe("INVALID_ARGUMENT");
  });

  it.each<[string, unknown, number, string]>([
    ["no JSON", "{", 400, "INVALID_ARGUMENT"],
    ["no UTF-8", "\ud800", 400, "INVALID_ARGUMENT"],
    ["a member that nobody knows", { bucket: "mine", prefx: PREFIX }, 400, "INVALID_ARGUMENT"],
    ["a role that nobody knows", { bucket: "mine", role: "admin" }, 400, "INVALID_ARGUMENT"],
    ["a role that is no text", { bucket: "mine", role: 9 }, 400, "INVALID_ARGUMENT"],
    ["a negative life", { bucket: "mine", expiresInMs: -5 }, 400, "INVALID_ARGUMENT"],
    ["a body too large", { bucket: "mine", prefix: "x".repeat(20_000) }, 400, "INVALID_ARGUMENT"],
    ["a prefix too long", { bucket: "mine", prefix: "x".repeat(1025) }, 400, "INVALID_ARGUMENT"],
    ["no bucket", {}, 400, "INVALID_BUCKET_NAME"],
    ["a bucket that is not there", { bucket: "nowhere" }, 404, "BUCKET_NOT_FOUND"],
  ])("refuses %s", async (_name, body, status, code) => {
    const answer = await ask(body);
    expect([answer.status, answer.json().code]).toEqual([status, code]);
  });

  it("gives nobody more than they may do", async () => {
    const codeOf = async (apiKey: string, role?: string): Promise<unknown> =>
      (await ask({ bucket: "mine", role }, apiKey)).json().code ?? "none";
    expect(await codeOf(cluster.keys.readonly, "readwrite")).toBe("PERMISSION_DENIED");
    expect(await codeOf(cluster.keys.readonly, "readonly")).toBe("none");
    expect(await codeOf(cluster.keys.readonly)).toBe("none");
    expect(await codeOf(cluster.keys.admin, "readwrite")).toBe("none");
    expect(await codeOf(await cluster.token({ bucket: "mine" }))).toBe("PERMISSION_DENIED");
    expect(await codeOf(await cluster.keeper.issueCluster())).toBe("PERMISSION_DENIED");
    expect(await codeOf("nonsense")).toBe("UNAUTHENTICATED");
    const { token } = (await ask({ bucket: "mine" }, cluster.keys.readonly)).json() as { token: string };
    expect(await outcome({ method: "PUT", path: "/objects/mine/x", body: BODY }, token)).toBe("PERMISSION_DENIED");
  });

  it("takes no other method", async () => {
    const answer = await ask({}, cluster.keys.admin, "GET");
    expect([answer.status, answer.headers.allow]).toEqual([405, "POST"]);
  });
});
