import type { MessageInitShape } from "@bufbuild/protobuf";
import { AshlarError } from "../errors/index.ts";
import type {
  CommitPartRequest as CommitPartRequestMessage,
  CommitPartRequestSchema,
  CommitWriteRequest as CommitWriteRequestMessage,
  CommitWriteRequestSchema,
} from "../gen/ashlar/v1/object_service_pb.js";
import type { CommitObject, Durability, PutPart } from "../ports/index.ts";
import { decodeAttributes, decodeCondition, encodeAttributes, encodeCondition } from "./attributes.ts";
import { decodeChunkedContent, encodeChunkedContent, type ReceivedContent } from "./committed-content.ts";
import { decodeDurability, encodeDurability } from "./durability.ts";
import { decodeInteger, decodeText, encodeInteger } from "./integers.ts";

/** A commit as a gateway receives it: the gateway fills in etag, default durability, layout and missed nodes. */
export interface ReceivedCommit extends Omit<CommitObject, "etag" | "durability" | "content"> {
  readonly durability: Durability | undefined;
  readonly content: { readonly inline: Uint8Array } | ReceivedContent;
}

/** A part as a gateway receives it: the gateway fills in etag, layout and missed nodes. */
export interface ReceivedPart extends Omit<PutPart, "etag" | "content"> {
  readonly content: ReceivedContent;
}

export function encodeCommitWrite(
  commit: CommitObject | ReceivedCommit,
): MessageInitShape<typeof CommitWriteRequestSchema> {
  const { content } = commit;
  return {
    bucket: commit.bucket,
    key: commit.key,
    ticket: commit.ticket ?? "",
    attributes: encodeAttributes(commit.attributes),
    condition: encodeCondition(commit.condition),
    durability: encodeDurability(commit.durability),
    sizeBytes: encodeInteger(commit.sizeBytes),
    sha256: commit.sha256 ?? "",
    content:
      "inline" in content
        ? { case: "inline", value: content.inline }
        : { case: "chunked", value: encodeChunkedContent(content) },
  };
}

/**
 * Inline bytes are a view of the message: copy them to keep them after the call.
 *
 * @throws {AshlarError} INVALID_ARGUMENT without content, or for malformed chunk ids or sizes.
 */
export function decodeCommitWrite(message: CommitWriteRequestMessage): ReceivedCommit {
  return {
    bucket: message.bucket,
    key: message.key,
    ticket: decodeText(message.ticket),
    attributes: decodeAttributes(message.attributes),
    condition: decodeCondition(message.condition),
    durability: decodeDurability(message.durability),
    sizeBytes: decodeInteger(message.sizeBytes, "sizeBytes"),
    sha256: decodeText(message.sha256),
    content: decodeContent(message.content),
  };
}

function decodeContent(content: CommitWriteRequestMessage["content"]): ReceivedCommit["content"] {
  switch (content.case) {
    case "inline":
      return { inline: content.value };
    case "chunked":
      return decodeChunkedContent(content.value);
    case undefined:
      throw new AshlarError("INVALID_ARGUMENT", "a commit has inline bytes or chunks", {
        details: { field: "content" },
      });
  }
}

export function encodeCommitPart(part: PutPart | ReceivedPart): MessageInitShape<typeof CommitPartRequestSchema> {
  return {
    ticket: part.ticket ?? "",
    uploadId: part.uploadId,
    partNumber: part.partNumber,
    sizeBytes: encodeInteger(part.sizeBytes),
    sha256: part.sha256 ?? "",
    content: encodeChunkedContent(part.content),
  };
}

/** @throws {AshlarError} INVALID_ARGUMENT for malformed chunk ids or sizes. */
export function decodeCommitPart(message: CommitPartRequestMessage): ReceivedPart {
  return {
    ticket: decodeText(message.ticket),
    uploadId: message.uploadId,
    partNumber: message.partNumber,
    sizeBytes: decodeInteger(message.sizeBytes, "sizeBytes"),
    sha256: decodeText(message.sha256),
    content: decodeChunkedContent(message.content),
  };
}
