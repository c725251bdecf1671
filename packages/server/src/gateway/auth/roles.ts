import type { ApiKeyRole } from "@ashlar/sdk/ports";

/**
 * What an operation needs: `read`, `write` and `admin` are granted by the roles of API keys, `cluster` by a cluster grant alone, and
 * `read-or-cluster` by either.
 */
export type Access = "read" | "write" | "admin" | "cluster" | "read-or-cluster";

/** What decides who may call an operation before its input is known. */
export interface AccessRules {
  /** For messages and logs. */
  readonly name: string;
  readonly access: Access;
  /** See `ScopeRule`. */
  readonly scope: "never" | "key" | "nothing" | "by-input";
}

/** What an access allows, for messages: callers know neither our RPCs nor which of them a client uses. */
export const ACCESS_WORDS: Readonly<Record<Access, string>> = Object.freeze({
  read: "reading",
  write: "writing",
  admin: "changing the cluster or its API keys",
  cluster: "what only the cluster's own servers do",
  "read-or-cluster": "looking at the cluster",
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
