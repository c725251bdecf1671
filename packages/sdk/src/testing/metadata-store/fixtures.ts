import { expect } from "vitest";
import { type Digest, encodeHex, sha256Sync } from "../../hash/index.ts";
import * as LIMITS from "../../limit-values.ts";
import { chunkedEtag, singleEtag } from "../../manifest/index.ts";
import type {
  ChunkRef,
  CommitCondition,
  CommitObject,
  CommittedChunk,
  ListObjectsQuery,
  MetadataStore,
  ObjectListPage,
  PutPart,
} from "../../ports/index.ts";

/** The bucket of most cases. */
export const BUCKET = "case-bucket";

const encoder = new TextEncoder();

/** Creates the bucket of the cases in `store`. */
export async function withBucket(store: MetadataStore): Promise<MetadataStore> {
  await store.createBucket(BUCKET);
  return store;
}

/** Members of a commit that a case may choose. */
export interface CommitVariation {
  readonly bucket?: string;
  readonly condition?: CommitCondition;
  readonly layoutVersion?: number;
  readonly attributes?: CommitObject["attributes"];
}

/** A commit of a small text. */
export function inlineCommit(key: string, text = key, variation: CommitVariation = {}): CommitObject {
  const inline = encoder.encode(text);
  const digest = sha256Sync(inline);
  return {
    bucket: variation.bucket ?? BUCKET,
    key,
    sizeBytes: inline.byteLength,
    etag: singleEtag(digest),
    sha256: encodeHex(digest),
    durability: "strict",
    attributes: variation.attributes ?? {},
    content: { inline },
    condition: variation.condition,
  };
}

/** The id of a chunk without bytes: metadata stores never see the bytes of chunks. */
export function chunkIdOf(name: string): Digest {
  return sha256Sync(encoder.encode(`chunk ${name}`));
}

/** Chunks by name; the n-th has `sizeBytes + n` bytes, unless the same name came before. */
export function chunksOf(names: readonly string[], sizeBytes = 1000): ChunkRef[] {
  return names.map((name) => ({ chunkId: chunkIdOf(name), sizeBytes: sizeBytes + names.indexOf(name) }));
}

export function totalBytes(chunks: readonly ChunkRef[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0);
}

/** A commit of chunks. */
export function chunkedCommit(
  key: string,
  chunks: readonly CommittedChunk[],
  variation: CommitVariation = {},
): CommitObject {
  return {
    ...inlineCommit(key, key, variation),
    sizeBytes: totalBytes(chunks),
    etag: chunkedEtag(chunks.map((chunk) => chunk.chunkId)),
    sha256: undefined,
    content: { chunks: chunks.map((chunk) => ({ layoutVersion: variation.layoutVersion, ...chunk })) },
  };
}

/** A part of chunks. */
export function partOf(uploadId: string, partNumber: number, chunks: readonly CommittedChunk[]): PutPart {
  const etag = chunks.length === 0 ? "empty" : chunkedEtag(chunks.map((chunk) => chunk.chunkId));
  return { uploadId, partNumber, sizeBytes: totalBytes(chunks), etag, content: { chunks } };
}

/** Starts an upload in the bucket of the cases. */
export async function startUpload(store: MetadataStore, key: string): Promise<string> {
  const upload = await store.createUpload({ bucket: BUCKET, key, attributes: {}, durability: "strict" });
  return upload.uploadId;
}

/** All pages of a listing. Fails if a page is over its limit, if a page is empty but not the last, or if the listing never ends. */
export async function listAll(
  store: MetadataStore,
  query: Omit<ListObjectsQuery, "bucket"> = {},
): Promise<ObjectListPage> {
  const objects: ObjectListPage["objects"][number][] = [];
  const prefixes: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 10_000; pages++) {
    const page = await store.listObjects({ bucket: BUCKET, ...query, cursor });
    const count = page.objects.length + page.prefixes.length;
    expect(count).toBeLessThanOrEqual(query.limit ?? 1000);
    if (page.nextCursor !== undefined) expect(count, "entries of a page that is not the last").toBeGreaterThan(0);
    objects.push(...page.objects);
    prefixes.push(...page.prefixes);
    cursor = page.nextCursor;
    if (cursor === undefined) return { objects, prefixes };
  }
  return expect.fail("the listing never ends");
}

/** Keys of a listing. */
export async function keysOf(store: MetadataStore, query: Omit<ListObjectsQuery, "bucket"> = {}): Promise<string[]> {
  return (await listAll(store, query)).objects.map((entry) => entry.key);
}

/** Text of an inline object, or `undefined`. */
export async function textOf(store: MetadataStore, key: string, bucket: string = BUCKET): Promise<string | undefined> {
  const stored = await store.getObject({ bucket, key });
  return stored?.inline === undefined ? undefined : new TextDecoder().decode(stored.inline);
}

/** Marks chunks without references, returns which of `names` are among them, and sets all marked chunks live again. */
export async function collectable(store: MetadataStore, names: readonly string[]): Promise<string[]> {
  const marked = await store.markCollecting({ graceMs: 0, limit: 10_000 });
  await store.finishCollecting(marked.map(({ chunkId }) => ({ chunkId, removed: false })));
  const ids = new Set(marked.map(({ chunkId }) => encodeHex(chunkId)));
  return names.filter((name) => ids.has(encodeHex(chunkIdOf(name))));
}

/** Drops all released manifests. @returns how many. */
export async function dropAll(store: MetadataStore): Promise<number> {
  let dropped = 0;
  for (let step = 1; step > 0; dropped += step) step = await store.dropReleasedManifests({ graceMs: 0, limit: 1000 });
  return dropped;
}

/** Keys that often break stores: prefixes of each other, dots, NUL, characters of other Unicode planes, upper and lower case, the longest keys. */
export const ADVERSARIAL_KEYS: readonly string[] = [
  ..."a,ab,a/b,a/b/c,a//b,a/,/,//,/a,.,..,../..,a/../b,A,Ab,aB, ,a ,a%2Fb,a?b,a#b,a&b,a'b,a\"b,a\\b,%,_,*".split(","),
  "\0",
  "a\0",
  "a\0b",
  "a\n",
  "\u0001",
  "\u007f",
  "é",
  "e\u0301",
  "ß",
  "ｆｆ",
  "\uffff",
  "\ue000",
  "\u{10000}",
  "\u{10ffff}",
  "日本語/キー",
  "k".repeat(1024),
  "é".repeat(512),
  `${"d/".repeat(511)}e`,
];

/** The order of S3: by bytes of UTF-8 (JavaScript's own order differs above U+FFFF). */
export function byBytes(a: string, b: string): number {
  const left = encoder.encode(a);
  const right = encoder.encode(b);
  for (let index = 0; index < Math.min(left.byteLength, right.byteLength); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.byteLength - right.byteLength;
}

/** Ends repairs as a worker does: claims all that are due, and lets those that are not named be claimed again at once. */
export async function endRepairs(store: MetadataStore, repairIds: readonly string[]): Promise<number> {
  let ended = 0;
  for (const { nodeId } of await store.countRepairs()) {
    const { leaseToken, entries } = await store.claimRepairs({
      ...{ nodeId, limit: LIMITS.REPAIR_CLAIM_MAX, leaseMs: LIMITS.WORK_LEASE_MAX_MS },
    });
    const outcomes = entries.map(({ repairId }) =>
      repairIds.includes(repairId) ? { repairId } : { repairId, retryInMs: 0 },
    );
    await store.finishRepairs({ leaseToken, outcomes });
    ended += outcomes.filter(({ retryInMs }) => retryInMs === undefined).length;
  }
  return ended;
}
