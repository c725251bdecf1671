import type { Digest } from "../hash/index.ts";
import type { Durability } from "./durability.ts";

/** A bucket as listed. */
export interface BucketInfo {
  readonly bucket: string;
  readonly createdAtMs: number;
}

/** What an object has besides its bytes; header values are kept as given, without interpretation. */
export interface ObjectAttributes {
  /** Default `application/octet-stream`. */
  readonly contentType?: string | undefined;
  readonly cacheControl?: string | undefined;
  readonly contentDisposition?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly contentLanguage?: string | undefined;
  /** The `Expires` header, an HTTP date. */
  readonly expires?: string | undefined;
  /** User metadata; names are lower-cased, names and values together at most METADATA_MAX_BYTES. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** One object version, without its bytes. */
export interface ObjectInfo {
  readonly bucket: string;
  readonly key: string;
  readonly objectVersion: string;
  readonly sizeBytes: number;
  /**
   * Opaque validator of the bytes and of how they are cut into chunks, without quotes. A change of attributes alone (a copy onto itself) does not
   * change it; `objectVersion` changes with every write.
   */
  readonly etag: string;
  /** SHA-256 of all bytes in hex; absent if no writer saw all bytes in order (an upload of several parts). */
  readonly sha256?: string | undefined;
  readonly createdAtMs: number;
  readonly durability: Durability;
  readonly attributes: ObjectAttributes;
}

/** A chunk as a manifest names it. */
export interface ChunkRef {
  readonly chunkId: Digest;
  readonly sizeBytes: number;
}

/** A chunk reference on its way into a commit. */
export interface CommittedChunk extends ChunkRef {
  /**
   * Layout under which this chunk's copies were placed; default 0, a single local store. One upload may have chunks of several layouts. The chunk's row
   * keeps a newer layout of an earlier commit, if something still names the chunk: the copies of that layout exist too.
   */
  readonly layoutVersion?: number | undefined;
  /** Signed receipts: of the nodes that hold it (direct seat), or one of the gateway's chunk API (gateway seat). */
  readonly receipts?: readonly string[] | undefined;
  /** Nodes of the placement that did not acknowledge; they go to the repair queue. */
  readonly missedNodeIds?: readonly string[] | undefined;
  /** Nodes outside the placement that hold a copy in place of missed ones, at most as many as these; each stands in for one until that is repaired. */
  readonly standInNodeIds?: readonly string[] | undefined;
}

/** A chunk reference as read. */
export interface LocatedChunk extends ChunkRef {
  /** Offset of the chunk's first byte in the object. */
  readonly offset: number;
  /** A signed grant to read this chunk (direct and gateway seats only). */
  readonly grant?: string | undefined;
}

/** Conditions on the current latest version; both must hold. PRECONDITION_FAILED otherwise. */
export interface WriteCondition {
  /**
   * The etag that the current version must have, or "*" for "any version exists". It guards the bytes only: a change of attributes alone and a write
   * of the same bytes keep the etag, so they are not noticed.
   */
  readonly ifMatch?: string | undefined;
  /** The etag that the current version must not have, or "*" for "no version exists". */
  readonly ifNoneMatch?: string | undefined;
}

/**
 * A write condition as in HTTP (RFC 9110 §13.1), for what a {@link WriteCondition} cannot express; all members that are given must hold. It is
 * checked in the transaction of the write, so no other write can come between, and a repeated try gets the same answer. It stays within the gateway:
 * no RPC carries it.
 */
export interface HttpCondition {
  readonly ifMatch?: undefined;
  readonly ifNoneMatch?: undefined;
  /** The current version must have one of these etags; "*" matches every version. */
  readonly ifMatchAny?: readonly string[] | undefined;
  /** The current version must have none of these etags; "*" matches every version. */
  readonly ifNoneMatchAny?: readonly string[] | undefined;
  /** The current version must not be newer than this, in whole seconds as in HTTP dates. The condition holds if there is no version. */
  readonly ifUnmodifiedSinceMs?: number | undefined;
}

/** The conditions that a write may have. */
export type CommitCondition = WriteCondition | HttpCondition;

/** The chunks of a commit, in order. */
export interface ChunkedContent {
  readonly chunks: readonly CommittedChunk[];
}

/** An object write in one step: the chunks are stored already, or the bytes are inline. */
export interface CommitObject {
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly sha256?: string | undefined;
  readonly durability: Durability;
  readonly attributes: ObjectAttributes;
  readonly content: { readonly inline: Uint8Array } | ChunkedContent;
  readonly condition?: CommitCondition | undefined;
  /** The write ticket of a client in the direct or gateway seat (see GrantSource). */
  readonly ticket?: string | undefined;
}

/** An object as stored: its info and where its bytes are. */
export interface StoredObject {
  readonly info: ObjectInfo;
  /** All bytes, for an inline object. */
  readonly inline?: Uint8Array | undefined;
  /** Names the manifest of a chunked object; readable until COLLECT_GRACE_MS after the version was replaced or deleted. */
  readonly manifestId?: string | undefined;
  /** The first page of the chunks of a chunked object, from the one that contains `fromOffset`. */
  readonly page?: ManifestPage | undefined;
}

/** Part of a manifest, in offset order. */
export interface ManifestPage {
  readonly chunks: readonly LocatedChunk[];
  /** Offset at which the next page begins; absent at the end. */
  readonly nextOffset?: number | undefined;
}

/** One row of a listing. */
export interface ObjectListEntry {
  readonly key: string;
  readonly objectVersion: string;
  readonly sizeBytes: number;
  readonly etag: string;
  /** As {@link ObjectInfo.sha256}. */
  readonly sha256?: string | undefined;
  readonly createdAtMs: number;
}

/** One page of a listing. Keys ascend by UTF-8 bytes; `objects` and `prefixes` together are at most `limit`. */
export interface ObjectListPage {
  readonly objects: readonly ObjectListEntry[];
  /** Rolled-up common prefixes, each ending with the delimiter. */
  readonly prefixes: readonly string[];
  readonly nextCursor?: string | undefined;
}

/** What to list. */
export interface ListObjectsQuery {
  readonly bucket: string;
  readonly prefix?: string | undefined;
  /** Keys that are equal up to and including its first occurrence after the prefix become one entry of `prefixes`; any non-empty string. */
  readonly delimiter?: string | undefined;
  readonly cursor?: string | undefined;
  /** Only keys after this one; ignored where a cursor is given. */
  readonly startAfter?: string | undefined;
  /** 1 to LIST_LIMIT_MAX. */
  readonly limit?: number | undefined;
}
