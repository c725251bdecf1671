import { expect } from "vitest";
import { type CallOptions, type MetadataStore, systemClock } from "../../ports/index.ts";
import { expectAborts, expectCode } from "../chunk-store/expectations.ts";
import { ifPersistent, ifShared, type MetadataStoreCase } from "./contract-case.ts";
import {
  BUCKET,
  chunkedCommit,
  chunkIdOf,
  chunksOf,
  collectable,
  inlineCommit,
  keysOf,
  partOf,
  startUpload,
  textOf,
  withBucket,
} from "./fixtures.ts";

/** Methods with the same signature, so that one check can run all of them. */
type Call = (store: MetadataStore, options: CallOptions) => Promise<unknown>;
const AT = { bucket: BUCKET, key: "k" };
const STATS = { chunkCount: 1, bytesUsed: 2, bytesFree: 3, bytesTotal: 4 };
const REGISTRATION = { nodeId: "n9", url: "http://n9", softwareVersion: "1" };
const API_KEY = { keyId: "k9", name: "", role: "admin" as const, secretSha256: chunkIdOf("secret") };

const CALLS: Readonly<Record<Exclude<keyof MetadataStore, "capabilities" | "close">, Call>> = {
  createBucket: (store, options) => store.createBucket("new-bucket", options),
  getBucket: (store, options) => store.getBucket(BUCKET, options),
  listBuckets: (store, options) => store.listBuckets(options),
  deleteBucket: (store, options) => store.deleteBucket(BUCKET, options),
  commitObject: (store, options) => store.commitObject(inlineCommit("new"), options),
  getObject: (store, options) => store.getObject(AT, options),
  getManifestPage: (store, options) => store.getManifestPage({ manifestId: "m", fromOffset: 0 }, options),
  deleteObject: (store, options) => store.deleteObject(AT, options),
  listObjects: (store, options) => store.listObjects({ bucket: BUCKET }, options),
  copyObject: (store, options) =>
    store.copyObject({ sourceBucket: BUCKET, sourceKey: "k", bucket: BUCKET, key: "new" }, options),
  moveObject: (store, options) =>
    store.moveObject({ sourceBucket: BUCKET, sourceKey: "k", bucket: BUCKET, key: "new" }, options),
  createUpload: (store, options) => store.createUpload({ ...AT, attributes: {}, durability: "strict" }, options),
  getUpload: (store, options) => store.getUpload("u", options),
  putPart: (store, options) => store.putPart(partOf("u", 1, chunksOf(["a"])), options),
  listParts: (store, options) => store.listParts({ uploadId: "u" }, options),
  listUploads: (store, options) => store.listUploads({ bucket: BUCKET }, options),
  completeUpload: (store, options) =>
    store.completeUpload({ uploadId: "u", parts: [{ partNumber: 1, etag: "x" }] }, options),
  abortUpload: (store, options) => store.abortUpload("u", options),
  dropReleasedManifests: (store, options) => store.dropReleasedManifests({ graceMs: 0, limit: 1 }, options),
  abortStaleUploads: (store, options) => store.abortStaleUploads({ olderThanMs: 0, limit: 1 }, options),
  markCollecting: (store, options) => store.markCollecting({ graceMs: 0, limit: 1 }, options),
  finishCollecting: (store, options) => store.finishCollecting([], options),
  knowsChunks: (store, options) => store.knowsChunks([], options),
  queueRepairs: (store, options) => store.queueRepairs([], options),
  listRepairs: (store, options) => store.listRepairs({ limit: 1 }, options),
  countRepairs: (store, options) => store.countRepairs(options),
  queueLostCopies: (store, options) => store.queueLostCopies({ limit: 1 }, options),
  claimRepairs: (store, options) => store.claimRepairs({ nodeId: "n1", limit: 1, leaseMs: 1 }, options),
  finishRepairs: (store, options) => store.finishRepairs({ leaseToken: "t", outcomes: [] }, options),
  listOutdatedChunks: (store, options) => store.listOutdatedChunks({ limit: 1 }, options),
  advanceLayouts: (store, options) => store.advanceLayouts({ layoutVersion: 1, chunks: [] }, options),
  settledLayouts: (store, options) => store.settledLayouts([], options),
  countLayoutUse: (store, options) => store.countLayoutUse(options),
  claimJob: (store, options) => store.claimJob({ job: "j", leaseMs: 1 }, options),
  renewJob: (store, options) => store.renewJob({ job: "j", leaseToken: "t", leaseMs: 1 }, options),
  finishJob: (store, options) => store.finishJob({ job: "j", leaseToken: "t", againInMs: 0 }, options),
  listJobs: (store, options) => store.listJobs(options),
  registerNode: (store, options) => store.registerNode(REGISTRATION, options),
  heartbeat: (store, options) => store.heartbeat({ nodeId: "n1", stats: STATS }, options),
  stopNode: (store, options) => store.stopNode("n1", options),
  clusterSnapshot: (store, options) => store.clusterSnapshot(options),
  recentLayouts: (store, options) => store.recentLayouts({ forMs: 0, limit: 1 }, options),
  leaveOutNode: (store, options) => store.leaveOutNode({ nodeId: "n1", awayForMs: 0 }, options),
  changeLayout: (store, options) => store.changeLayout({ replicationFactor: 1 }, options),
  createApiKey: (store, options) => store.createApiKey(API_KEY, options),
  findApiKey: (store, options) => store.findApiKey("k9", options),
  listApiKeys: (store, options) => store.listApiKeys(options),
  deleteApiKey: (store, options) => store.deleteApiKey("k9", options),
  revokeToken: (store, options) => store.revokeToken({ tokenId: "t9", expiresAtMs: 4_000_000_000_000 }, options),
  isTokenRevoked: (store, options) => store.isTokenRevoked("t9", options),
  databaseMark: (store, options) => store.databaseMark(options),
  advanceDatabase: (store, options) => store.advanceDatabase(0, options),
  acceptDatabase: (store, options) => store.acceptDatabase({ keepOlder: true }, options),
  checkIntegrity: (store, options) => store.checkIntegrity(options),
  listSegments: (store, options) => store.listSegments({ limit: 1 }, options),
  examineObjects: (store, options) => store.examineObjects({ limit: 1 }, options),
  examineManifests: (store, options) => store.examineManifests({ limit: 1 }, options),
  listChunkRows: (store, options) => store.listChunkRows({ limit: 1 }, options),
  manifestOwners: (store, options) => store.manifestOwners({ manifestId: "m", limit: 1 }, options),
  countCopies: (store, options) => store.countCopies({ limit: 1 }, options),
  copiesOf: (store, options) => store.copiesOf([], options),
  chunkCounts: (store, options) => store.chunkCounts([], options),
  ping: (store, options) => store.ping(options),
};

/** What a store holds, for comparison. */
async function everything(store: MetadataStore): Promise<unknown> {
  const { nodes, layouts } = await store.clusterSnapshot();
  const { uploads } = await store.listUploads({ bucket: BUCKET });
  return {
    buckets: await store.listBuckets(),
    objects: await store.listObjects({ bucket: BUCKET }),
    inline: await store.getObject(AT),
    chunked: await store.getObject({ bucket: BUCKET, key: "chunked" }),
    uploads,
    parts: await Promise.all(uploads.map(({ uploadId }) => store.listParts({ uploadId }))),
    repairs: await store.listRepairs({ limit: 100 }),
    nodes,
    layouts,
    apiKeys: await store.listApiKeys(),
  };
}

async function fill(store: MetadataStore): Promise<void> {
  await withBucket(store);
  await store.commitObject(inlineCommit("k", "text"));
  await store.registerNode({ nodeId: "n1", url: "http://n1", softwareVersion: "1" });
  const chunks = chunksOf(["a", "b"]).map((chunk) => ({ ...chunk, missedNodeIds: ["n1"] }));
  await store.commitObject(chunkedCommit("chunked", chunks, { layoutVersion: 1 }));
  await store.putPart(partOf(await startUpload(store, "upload"), 3, chunksOf(["p"])));
  await store.heartbeat({ nodeId: "n1", stats: STATS });
  await store.createApiKey(API_KEY);
}

export const LIFECYCLE_CASES: readonly MetadataStoreCase[] = [
  {
    name: "two stores know nothing of each other",
    async run({ store, create }) {
      const other = await create();
      try {
        await withBucket(store);
        await store.commitObject(inlineCommit("k"));
        expect(await other.store.listBuckets()).toEqual([]);
        await withBucket(other.store);
        expect(await keysOf(other.store)).toEqual([]);
      } finally {
        await other.dispose();
      }
    },
  },
  {
    name: "capabilities are frozen, and ping answers",
    async run({ store }) {
      expect(Object.isFrozen(store.capabilities)).toBe(true);
      await store.ping();
    },
  },
  {
    name: "every method refuses a signal that is aborted already, and does nothing",
    async run({ store }) {
      await fill(store);
      const before = await everything(store);
      for (const [method, call] of Object.entries(CALLS)) {
        await expectCode(call(store, { signal: AbortSignal.abort() }), "CANCELED").catch((error: Error) => {
          throw new Error(`${method}: ${error.message}`);
        });
        const late = AbortSignal.abort(new DOMException("late", "TimeoutError"));
        await expectCode(call(store, { signal: late }), "DEADLINE_EXCEEDED");
      }
      expect(await everything(store)).toEqual(before);
    },
  },
  {
    name: "an abort during a call rejects at once, and the store goes on working",
    async run({ store }) {
      await withBucket(store);
      const names = Array.from({ length: 3000 }, (_, index) => `n${index}`);
      const commit = chunkedCommit("big", chunksOf(names));
      for (let round = 0; round < 5; round++) {
        const controller = new AbortController();
        const call = store.commitObject(commit, { signal: controller.signal });
        // The abort comes in the same turn, so the call has begun and cannot have ended.
        await expectAborts(call, () => controller.abort());
      }
      await store.commitObject(inlineCommit("k", "text"));
      expect(await textOf(store, "k")).toBe("text");
    },
  },
  {
    name: "a signal that is never aborted keeps no listener",
    async run({ store }) {
      await withBucket(store);
      const { signal } = new AbortController();
      let listeners = 0;
      const add = signal.addEventListener.bind(signal);
      const remove = signal.removeEventListener.bind(signal);
      signal.addEventListener = ((...args: Parameters<typeof add>) => {
        listeners++;
        add(...args);
      }) as typeof signal.addEventListener;
      signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
        listeners--;
        remove(...args);
      }) as typeof signal.removeEventListener;
      await store.commitObject(inlineCommit("k"), { signal });
      await store.listObjects({ bucket: BUCKET }, { signal });
      await expectCode(store.getUpload("nobody", { signal }), "UPLOAD_NOT_FOUND");
      await systemClock.sleep(0);
      expect(listeners).toBe(0);
    },
  },
  {
    name: "close is idempotent, and every method refuses afterwards",
    async run({ store }) {
      await store.close();
      await store.close();
      for (const call of Object.values(CALLS)) await expectCode(call(store, {}), "STORE_CLOSED");
    },
  },
  {
    name: "close waits for the writes that run, and they are kept",
    applies: ifPersistent,
    async run({ store, subject }) {
      await withBucket(store);
      const keys = Array.from({ length: 50 }, (_, index) => `k${String(index).padStart(2, "0")}`);
      const writes = Promise.all(keys.map((key) => store.commitObject(inlineCommit(key))));
      await Promise.all([store.close(), writes]);
      expect(await keysOf(await subject.reopen())).toEqual(keys);
    },
  },
  {
    name: "everything survives reopening",
    applies: ifPersistent,
    async run({ store, subject }) {
      await fill(store);
      const before = await everything(store);
      const reopened = await subject.reopen();
      expect(await everything(reopened)).toEqual(before);
      expect(await reopened.knowsChunks(chunksOf(["a", "b", "p", "x"]).map(({ chunkId }) => chunkId))).toEqual([
        true,
        true,
        true,
        false,
      ]);
      expect(await collectable(reopened, ["a", "b", "p"])).toEqual([]);
    },
  },
  {
    name: "a second store on the same data sees every answered write at once, and the other way round",
    applies: ifShared,
    async run({ store, subject }) {
      const second = await subject.second();
      await fill(store);
      expect(await everything(second)).toEqual(await everything(store));
      for (let round = 0; round < 20; round++) {
        const [writer, reader] = round % 2 === 0 ? [store, second] : [second, store];
        await writer.commitObject(inlineCommit("k", `round ${round}`));
        expect(await textOf(reader, "k")).toBe(`round ${round}`);
      }
    },
  },
];
