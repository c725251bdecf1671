import { KIB, type ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { describe, expect, test } from "vitest";
import { RUN_ID } from "#platform";
import { testBytes } from "../support/test-bytes.ts";
import { WAYS } from "./browser-subjects.ts";

type Call = Exclude<keyof ObjectClient, "close" | typeof Symbol.asyncDispose>;

/** What calls leave for later ones. */
interface Scene {
  readonly client: ObjectClient;
  readonly bucket: string;
  uploadId: string;
  etag: string;
}

const key = "wall";
const body = testBytes(300 * KIB);

/** Each call of the client, in an order in which each finds what it needs. The type requires every call. */
const CALLS: Readonly<Record<Call, (scene: Scene) => Promise<unknown>>> = {
  createBucket: ({ client, bucket }) => client.createBucket({ bucket }),
  headBucket: ({ client, bucket }) => client.headBucket({ bucket }),
  listBuckets: ({ client }) => client.listBuckets(),
  putObject: ({ client, bucket }) => client.putObject({ bucket, key, body, onProgress: () => {} }),
  getObject: async ({ client, bucket }) =>
    expect(await (await client.getObject({ bucket, key })).bytes()).toEqual(body),
  headObject: ({ client, bucket }) => client.headObject({ bucket, key }),
  copyObject: ({ client, bucket }) => client.copyObject({ sourceBucket: bucket, sourceKey: key, bucket, key: "copy" }),
  moveObject: ({ client, bucket }) =>
    client.moveObject({ sourceBucket: bucket, sourceKey: "copy", bucket, key: "moved" }),
  listObjects: async ({ client, bucket }) => expect(await take(client.listObjects({ bucket }))).toHaveLength(2),
  listObjectsPage: ({ client, bucket }) => client.listObjectsPage({ bucket }),
  createUpload: async (scene) => {
    ({ uploadId: scene.uploadId } = await scene.client.createUpload({ bucket: scene.bucket, key }));
  },
  writePart: async (scene) => {
    ({ etag: scene.etag } = await scene.client.writePart({ uploadId: scene.uploadId, partNumber: 1, body }));
  },
  listParts: async ({ client, uploadId }) => expect(await take(client.listParts({ uploadId }))).toHaveLength(1),
  listUploads: async ({ client, bucket }) => expect(await take(client.listUploads({ bucket }))).toHaveLength(1),
  completeUpload: ({ client, uploadId, etag }) => client.completeUpload({ uploadId, parts: [{ partNumber: 1, etag }] }),
  abortUpload: async ({ client, bucket }) => {
    const { uploadId } = await client.createUpload({ bucket, key });
    await client.abortUpload({ uploadId });
  },
  bucket: ({ client, bucket }) => client.bucket(bucket).object(key).slice(0, 10).bytes(),
  createAccessToken: ({ client, bucket }) => client.createAccessToken({ bucket }),
  cluster: ({ client }) => client.cluster(),
  deleteObject: ({ client, bucket }) => client.deleteObject({ bucket, key }),
  deleteObjects: ({ client, bucket }) => client.deleteObjects({ bucket, keys: ["moved"] }),
  deleteBucket: ({ client, bucket }) => client.deleteBucket({ bucket }),
  // The only call that no remote seat has, not even in Node: servers free space by themselves.
  collect: async ({ client }) => {
    const error = await client.collect().catch((caught: unknown) => caught);
    expect(AshlarError.is(error, "UNSUPPORTED")).toBe(true);
  },
};

// Browsers lack client streaming, but an app does not notice that.
describe.each(WAYS)("a page, %s,", (way, open) => {
  test("can make every call of the client", async () => {
    const client = open();
    const scene = { client, bucket: `calls-${RUN_ID}-${way.replaceAll(" ", "-")}`, uploadId: "", etag: "" };
    const methods = Object.keys(client).filter((name) => name !== "close");
    expect(Object.keys(CALLS).sort()).toEqual(methods.sort());
    for (const call of Object.values(CALLS)) await call(scene);
    await client.close();
  });
});

async function take<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}
