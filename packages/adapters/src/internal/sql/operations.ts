/**
 * All operations by name. Both SQL stores run these: SQLite in a worker thread (so inputs and outputs are plain data), PostgreSQL in a
 * transaction of a pooled connection. The rules of each are in the table of the port.
 */
import {
  type MetadataInput,
  type MetadataOperation,
  type MetadataOutput,
  type OperationRules,
  rulesOf,
} from "@ashlar/sdk/ports";
import * as buckets from "./bucket-operations.ts";
import * as collection from "./collection-operations.ts";
import * as copies from "./copies-operations.ts";
import * as credentials from "./credential-operations.ts";
import * as examination from "./examination-operations.ts";
import * as identity from "./identity-operations.ts";
import * as jobs from "./job-operations.ts";
import { listObjects } from "./list-operations.ts";
import * as locations from "./location-operations.ts";
import { queueLostCopies } from "./lost-copies.ts";
import * as nodes from "./node-operations.ts";
import * as objectExamination from "./object-examination.ts";
import * as objects from "./object-operations.ts";
import * as repairs from "./repair-operations.ts";
import type { SqlSession } from "./sql-session.ts";
import * as uploads from "./upload-operations.ts";

/** Methods of the store that are not one operation of the same name and input here; see `createSqlMetadataStore`. */
type OwnForm = "dropReleasedManifests" | "listSegments" | "registerNode" | "leaveOutNode" | "changeLayout";

/** Every operation: a session, one input, one result. */
export type SqlOperations = {
  readonly [Name in Exclude<MetadataOperation, OwnForm>]: (
    session: SqlSession,
    input: MetadataInput<Name>,
  ) => Promise<MetadataOutput<Name>>;
} & {
  readonly dropReleasedStep: typeof collection.dropReleasedStep;
  readonly listStoredSegments: typeof examination.listStoredSegments;
  readonly registerNode: typeof nodes.registerNode;
  readonly leaveOutNode: typeof nodes.leaveOutNode;
  readonly changeLayout: typeof nodes.changeLayout;
};

export type SqlOperationName = keyof SqlOperations;
export type SqlOperationInput<Name extends SqlOperationName> = Parameters<SqlOperations[Name]>[1];
export type SqlOperationOutput<Name extends SqlOperationName> = Awaited<ReturnType<SqlOperations[Name]>>;

/** Named one by one: a module may export more than operations, and spreads of two modules would hide a name that both have. */
export const SQL_OPERATIONS: SqlOperations = Object.freeze<SqlOperations>({
  async ping(session) {
    await session.query("SELECT 1 AS pong");
  },
  createBucket: buckets.createBucket,
  getBucket: buckets.getBucket,
  listBuckets: buckets.listBuckets,
  deleteBucket: buckets.deleteBucket,
  commitObject: objects.commitObject,
  getObject: objects.getObject,
  getManifestPage: objects.getManifestPage,
  deleteObject: objects.deleteObject,
  copyObject: objects.copyObject,
  moveObject: objects.moveObject,
  listObjects,
  createUpload: uploads.createUpload,
  getUpload: uploads.getUpload,
  putPart: uploads.putPart,
  listParts: uploads.listParts,
  listUploads: uploads.listUploads,
  completeUpload: uploads.completeUpload,
  abortUpload: uploads.abortUpload,
  abortStaleUploads: uploads.abortStaleUploads,
  dropReleasedStep: collection.dropReleasedStep,
  markCollecting: collection.markCollecting,
  finishCollecting: collection.finishCollecting,
  knowsChunks: collection.knowsChunks,
  queueRepairs: repairs.queueRepairs,
  claimRepairs: repairs.claimRepairs,
  finishRepairs: repairs.finishRepairs,
  listRepairs: repairs.listRepairs,
  countRepairs: repairs.countRepairs,
  queueLostCopies,
  listOutdatedChunks: locations.listOutdatedChunks,
  advanceLayouts: locations.advanceLayouts,
  settledLayouts: locations.settledLayouts,
  countLayoutUse: locations.countLayoutUse,
  claimJob: jobs.claimJob,
  renewJob: jobs.renewJob,
  finishJob: jobs.finishJob,
  listJobs: jobs.listJobs,
  countCopies: copies.countCopies,
  copiesOf: copies.copiesOf,
  registerNode: nodes.registerNode,
  heartbeat: nodes.heartbeat,
  stopNode: nodes.stopNode,
  clusterSnapshot: nodes.clusterSnapshot,
  recentLayouts: nodes.recentLayouts,
  leaveOutNode: nodes.leaveOutNode,
  changeLayout: nodes.changeLayout,
  createApiKey: credentials.createApiKey,
  findApiKey: credentials.findApiKey,
  listApiKeys: credentials.listApiKeys,
  deleteApiKey: credentials.deleteApiKey,
  revokeToken: credentials.revokeToken,
  isTokenRevoked: credentials.isTokenRevoked,
  databaseMark: identity.databaseMark,
  advanceDatabase: identity.advanceDatabase,
  acceptDatabase: identity.acceptDatabase,
  checkIntegrity: identity.checkIntegrity,
  listStoredSegments: examination.listStoredSegments,
  chunkCounts: examination.chunkCounts,
  listChunkRows: examination.listChunkRows,
  examineObjects: objectExamination.examineObjects,
  examineManifests: objectExamination.examineManifests,
  manifestOwners: objectExamination.manifestOwners,
});

/** For operations that are not methods themselves: the method that each is a step of. */
const STEPS: Readonly<Record<Exclude<SqlOperationName, MetadataOperation>, MetadataOperation>> = Object.freeze({
  dropReleasedStep: "dropReleasedManifests",
  listStoredSegments: "listSegments",
});

export function methodOf(name: SqlOperationName): MetadataOperation {
  return name in STEPS ? STEPS[name as keyof typeof STEPS] : (name as MetadataOperation);
}

/** The rules of an operation. */
export function rulesOfSql(name: SqlOperationName): OperationRules<unknown, unknown> {
  return rulesOf(methodOf(name));
}

/** Runs an operation whose input is untyped: it comes from a message, or out of a queue. */
export function runSql(session: SqlSession, name: SqlOperationName, input: unknown): Promise<unknown> {
  const run = SQL_OPERATIONS[name] as (session: SqlSession, input: unknown) => Promise<unknown>;
  return run(session, input);
}
