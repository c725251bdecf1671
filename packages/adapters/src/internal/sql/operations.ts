/**
 * All operations by name. Both SQL stores run these: SQLite in a worker thread (so inputs and outputs are plain data), PostgreSQL in a
 * transaction of a pooled connection.
 */
import type { ApiKeyRecord, BucketInfo } from "@ashlar/sdk/ports";
import { toByteText } from "../metadata/byte-text.ts";
import type { NamedWrite } from "../metadata/operation-name.ts";
import * as buckets from "./bucket-operations.ts";
import * as collection from "./collection-operations.ts";
import * as credentials from "./credential-operations.ts";
import * as examination from "./examination-operations.ts";
import * as identity from "./identity-operations.ts";
import { listObjects } from "./list-operations.ts";
import * as objectExamination from "./object-examination.ts";
import * as objects from "./object-operations.ts";
import * as servers from "./server-operations.ts";
import type { SqlSession } from "./sql-session.ts";
import * as uploads from "./upload-operations.ts";

/** Every operation: a session, one input, one result. */
export interface SqlOperations {
  ping(session: SqlSession, input: undefined): Promise<void>;
  readonly createBucket: typeof buckets.createBucket;
  readonly getBucket: typeof buckets.getBucket;
  listBuckets(session: SqlSession, input: undefined): Promise<readonly BucketInfo[]>;
  readonly deleteBucket: typeof buckets.deleteBucket;
  readonly commitObject: typeof objects.commitObject;
  readonly getObject: typeof objects.getObject;
  readonly getManifestPage: typeof objects.getManifestPage;
  readonly deleteObject: typeof objects.deleteObject;
  readonly copyObject: typeof objects.copyObject;
  readonly listObjects: typeof listObjects;
  readonly createUpload: typeof uploads.createUpload;
  readonly getUpload: typeof uploads.getUpload;
  readonly putPart: typeof uploads.putPart;
  readonly listParts: typeof uploads.listParts;
  readonly listUploads: typeof uploads.listUploads;
  readonly completeUpload: typeof uploads.completeUpload;
  readonly abortUpload: typeof uploads.abortUpload;
  readonly abortStaleUploads: typeof uploads.abortStaleUploads;
  readonly dropReleasedStep: typeof collection.dropReleasedStep;
  readonly markCollecting: typeof collection.markCollecting;
  readonly finishCollecting: typeof collection.finishCollecting;
  readonly knowsChunks: typeof collection.knowsChunks;
  readonly listRepairs: typeof collection.listRepairs;
  readonly finishRepairs: typeof collection.finishRepairs;
  readonly registerServer: typeof servers.registerServer;
  readonly heartbeat: typeof servers.heartbeat;
  readonly stopServer: typeof servers.stopServer;
  clusterSnapshot(session: SqlSession, input: undefined): ReturnType<typeof servers.clusterSnapshot>;
  readonly recentLayouts: typeof servers.recentLayouts;
  readonly changeLayout: typeof servers.changeLayout;
  readonly createApiKey: typeof credentials.createApiKey;
  readonly findApiKey: typeof credentials.findApiKey;
  listApiKeys(session: SqlSession, input: undefined): Promise<readonly ApiKeyRecord[]>;
  readonly deleteApiKey: typeof credentials.deleteApiKey;
  readonly revokeToken: typeof credentials.revokeToken;
  readonly isTokenRevoked: typeof credentials.isTokenRevoked;
  databaseMark(session: SqlSession, input: undefined): ReturnType<typeof identity.databaseMark>;
  checkIntegrity(session: SqlSession, input: undefined): Promise<readonly string[]>;
  readonly listSegments: typeof examination.listSegments;
  readonly chunkCounts: typeof examination.chunkCounts;
  readonly examineObjects: typeof objectExamination.examineObjects;
  readonly examineManifests: typeof objectExamination.examineManifests;
  readonly manifestOwners: typeof objectExamination.manifestOwners;
  readonly listChunkRows: typeof examination.listChunkRows;
  readonly advanceDatabase: typeof identity.advanceDatabase;
  readonly acceptDatabase: typeof identity.acceptDatabase;
}

export type OperationName = keyof SqlOperations;
export type OperationInput<Name extends OperationName> = Parameters<SqlOperations[Name]>[1];
export type OperationOutput<Name extends OperationName> = Awaited<ReturnType<SqlOperations[Name]>>;

export const SQL_OPERATIONS: SqlOperations = Object.freeze({
  async ping(session: SqlSession): Promise<void> {
    await session.query("SELECT 1 AS pong");
  },
  ...buckets,
  ...objects,
  listObjects,
  ...uploads,
  ...collection,
  ...servers,
  ...credentials,
  ...identity,
  ...examination,
  ...objectExamination,
});

/**
 * How an operation runs.
 *
 * - `read`: statements without a transaction.
 * - `statement`: one writing statement that commits itself.
 * - `repeat`: a transaction that does no harm when it happens twice.
 * - `once`: a transaction that must happen at most once, even where the answer to its commit was lost.
 */
export type OperationKind = "read" | "statement" | "repeat" | "once";

export const OPERATION_KINDS: Readonly<Record<OperationName, OperationKind>> = Object.freeze({
  ping: "read",
  createBucket: "once",
  getBucket: "read",
  listBuckets: "read",
  deleteBucket: "once",
  commitObject: "once",
  getObject: "read",
  getManifestPage: "read",
  deleteObject: "once",
  copyObject: "once",
  listObjects: "read",
  createUpload: "once",
  getUpload: "read",
  putPart: "once",
  listParts: "read",
  listUploads: "read",
  completeUpload: "once",
  abortUpload: "once",
  abortStaleUploads: "repeat",
  dropReleasedStep: "repeat",
  markCollecting: "repeat",
  finishCollecting: "repeat",
  knowsChunks: "read",
  listRepairs: "read",
  finishRepairs: "repeat",
  registerServer: "repeat",
  heartbeat: "statement",
  stopServer: "statement",
  clusterSnapshot: "read",
  recentLayouts: "read",
  changeLayout: "once",
  createApiKey: "once",
  findApiKey: "read",
  listApiKeys: "read",
  deleteApiKey: "once",
  revokeToken: "repeat",
  isTokenRevoked: "read",
  databaseMark: "read",
  checkIntegrity: "read",
  listSegments: "read",
  chunkCounts: "read",
  examineObjects: "read",
  examineManifests: "read",
  manifestOwners: "read",
  listChunkRows: "read",
  advanceDatabase: "statement",
  acceptDatabase: "repeat",
});

/** Writes that a caller may name; see WriteOptions. */
const NAMED_WRITES: Readonly<Record<NamedWrite, true>> = Object.freeze({
  createBucket: true,
  deleteBucket: true,
  commitObject: true,
  deleteObject: true,
  copyObject: true,
  createUpload: true,
  putPart: true,
  completeUpload: true,
  abortUpload: true,
});

export function isNamedWrite(name: OperationName): name is NamedWrite {
  return Object.hasOwn(NAMED_WRITES, name);
}

/** Locks that an operation asks for anyway, where its input tells: a store may take them when it begins. Keys are byte texts. */
export interface OperationLocks {
  readonly objects: ReadonlyArray<{ readonly bucket: string; readonly key: string }>;
  /** Held against deletion. */
  readonly buckets: readonly string[];
}

export function locksOf(name: OperationName, input: unknown): OperationLocks {
  if (name === "commitObject" || name === "deleteObject") {
    const { bucket, key } = input as OperationInput<"deleteObject">;
    return { objects: [{ bucket, key: toByteText(key) }], buckets: [bucket] };
  }
  if (name !== "copyObject") return { objects: [], buckets: [] };
  const { sourceBucket, sourceKey, bucket, key } = input as OperationInput<"copyObject">;
  const source = { bucket: sourceBucket, key: toByteText(sourceKey) };
  return { objects: [source, { bucket, key: toByteText(key) }], buckets: [bucket] };
}
