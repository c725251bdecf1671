import type { Digest } from "@ashlar/sdk/hash";
import type { AccessRole } from "@ashlar/sdk/ports";

/** A gateway or node of the cluster itself: allows everything. */
export interface ClusterGrant {
  readonly kind: "cluster";
  readonly expiresAtMs: number;
}

/** Goes to chunk APIs: store and claim chunks under a ticket. */
export interface WriteGrant {
  readonly kind: "write";
  readonly ticketId: string;
  readonly bucket: string;
  /** The only key that may be committed; absent: any key of the bucket that begins with `prefix`. */
  readonly key?: string | undefined;
  /** Absent: none. */
  readonly prefix?: string | undefined;
  /** The API key that asked for it: what its holder uses of a server counts for that key. Absent in grants of earlier releases. */
  readonly apiKeyId?: string | undefined;
  readonly expiresAtMs: number;
}

/** Goes with commits; the commit checks receipts against its `ticketId`. */
export interface TicketGrant {
  readonly kind: "ticket";
  readonly ticketId: string;
  readonly bucket: string;
  readonly key?: string | undefined;
  readonly prefix?: string | undefined;
  /** The API key that asked for it, or that issued the access token that asked; no other may commit with it. */
  readonly apiKeyId: string;
  /** When the first of the tickets that it continues was given, by the gateway's clock: no receipt of the upload is older. Absent in earlier releases. */
  readonly begunAtMs?: number | undefined;
  readonly expiresAtMs: number;
}

/** Read one chunk. */
export interface ReadGrant {
  readonly kind: "read";
  readonly chunkId: Digest;
  /** As in {@link WriteGrant}. */
  readonly apiKeyId?: string | undefined;
  readonly expiresAtMs: number;
}

/** What every receipt says: a chunk of this size is held, claimed, for the holder of this ticket. */
interface AnyReceipt {
  readonly kind: "receipt";
  readonly ticketId: string;
  readonly chunkId: Digest;
  readonly sizeBytes: number;
  readonly expiresAtMs: number;
}

/** One node holds the chunk. */
export interface NodeReceipt extends AnyReceipt {
  readonly holder: "node";
  readonly nodeId: string;
}

/** A gateway reached the write quorum. */
export interface GatewayReceipt extends AnyReceipt {
  readonly holder: "gateway";
  readonly layoutVersion: number;
  /** Nodes that hold it. */
  readonly nodeIds: readonly string[];
  /** Nodes of the placement that did not acknowledge. */
  readonly missedNodeIds: readonly string[];
  /** Nodes outside the placement that hold a copy instead. Absent: none, as in receipts of earlier releases. */
  readonly standInNodeIds?: readonly string[] | undefined;
}

/** Proof for a commit that a chunk was uploaded. */
export type ReceiptGrant = NodeReceipt | GatewayReceipt;

/** Read further pages of a manifest. */
export interface ManifestGrant {
  readonly kind: "manifest";
  readonly manifestId: string;
  /** The object that was located: holders of an access token page on within their scope only. Absent in handles of earlier releases. */
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
  readonly expiresAtMs: number;
}

/** Used like an API key: what its holder may do at a gateway, within a scope. */
export interface AccessGrant {
  readonly kind: "access";
  /** The API key that asked for it: without that key it is void. */
  readonly apiKeyId: string;
  /** 128 random bits by which it can be revoked. Absent in tokens of earlier releases, which live 12 hours at most. */
  readonly tokenId?: string | undefined;
  readonly role: AccessRole;
  readonly bucket: string;
  /** Only keys that begin with it; empty: every key of the bucket. */
  readonly prefix: string;
  readonly expiresAtMs: number;
}

/** Everything that is signed with the cluster key. */
export type Grant = ClusterGrant | WriteGrant | TicketGrant | ReadGrant | ReceiptGrant | ManifestGrant | AccessGrant;

export type GrantKind = Grant["kind"];

/** All kinds. */
export const GRANT_KINDS: readonly GrantKind[] = Object.freeze([
  "cluster",
  "write",
  "ticket",
  "read",
  "receipt",
  "manifest",
  "access",
]);

/** The grant types of some kinds. */
export type GrantOf<Kind extends GrantKind> = Extract<Grant, { readonly kind: Kind }>;
