import type { ApiKeyRole } from "@ashlar/sdk/ports";
import type { ClusterService, CredentialService, ObjectService } from "@ashlar/sdk/rpc";

/**
 * What an operation needs: `read`, `write` and `admin` are granted by the roles of API keys, `cluster` by a cluster grant alone, and
 * `read-or-cluster` by either.
 */
export type Access = "read" | "write" | "admin" | "cluster" | "read-or-cluster";

/** What an access allows, for messages: callers know neither our RPCs nor which of them a client uses. */
export const ACCESS_WORDS: Readonly<Record<Access, string>> = Object.freeze({
  read: "reading",
  write: "writing",
  admin: "changing the cluster or its API keys",
  cluster: "what only the cluster's own servers do",
  "read-or-cluster": "looking at the cluster",
});

/** Operations of a gateway, named as its RPCs; REST routes go by the operation that they stand for. */
export type Operation =
  | keyof typeof ObjectService.method
  | keyof typeof ClusterService.method
  | keyof typeof CredentialService.method;

/** The one table of who may do what, for RPC and REST alike. An operation that is missing here does not compile. */
export const ACCESS: Readonly<Record<Operation, Access>> = Object.freeze({
  createBucket: "write",
  headBucket: "read",
  listBuckets: "read",
  deleteBucket: "write",
  putObject: "write",
  writeObject: "write",
  getObject: "read",
  headObject: "read",
  deleteObject: "write",
  deleteObjects: "write",
  listObjects: "read",
  copyObject: "write",
  createUpload: "write",
  getUpload: "write",
  writePart: "write",
  completeUpload: "write",
  abortUpload: "write",
  listParts: "read",
  listUploads: "read",
  beginWrite: "write",
  commitWrite: "write",
  commitPart: "write",
  locate: "read",
  // Whoever may read may pass that on; the role of the token is checked against the key's by whoever signs it.
  createAccessToken: "read",
  getCluster: "read-or-cluster",
  registerServer: "cluster",
  heartbeat: "cluster",
  stopServer: "cluster",
  changeLayout: "admin",
  createApiKey: "admin",
  listApiKeys: "admin",
  deleteApiKey: "admin",
  // Whoever may give tokens may call them back; whose they are is checked by whoever does it.
  revokeAccessToken: "read",
});

const ALLOWED: Readonly<Record<ApiKeyRole, ReadonlySet<Access>>> = Object.freeze({
  readonly: new Set<Access>(["read", "read-or-cluster"]),
  readwrite: new Set<Access>(["read", "read-or-cluster", "write"]),
  admin: new Set<Access>(["read", "read-or-cluster", "write", "admin"]),
});

/** Whether keys of this role may do it. */
export function roleAllows(role: ApiKeyRole, access: Access): boolean {
  return ALLOWED[role].has(access);
}

/** Whether a cluster grant allows it. */
export function clusterAllows(access: Access): boolean {
  return access === "cluster" || access === "read-or-cluster";
}
