import type { AccessTokenSource, Catalog, GrantSource, ObjectCatalog, WriteOptions } from "../ports/index.ts";
import { undefinedIf } from "./connection.ts";
import type { HttpConnection } from "./http-connection.ts";
import {
  answerOf,
  bucketFrom,
  jsonFromContent,
  manifestPageFrom,
  objectInfoFrom,
  objectListEntryFrom,
  partFrom,
  uploadFrom,
} from "./http-messages.ts";
import {
  base64FromBytes,
  bytesFromBase64,
  durabilityName,
  integerOf,
  type JsonMessage,
  listOf,
  nameOf,
  optionalTextOf,
  textOf,
} from "./proto-json.ts";

type Call = (method: string, request: object, options: WriteOptions | undefined) => Promise<JsonMessage>;

/** A gateway's ObjectService in JSON as the catalog of an engine. Port types whose members have the wire's names are sent unchanged. */
export function createHttpCatalog(connection: HttpConnection): Catalog {
  const call: Call = (method, request, options) => connection.rpc(`ObjectService/${method}`, request, options);
  return { ...bucketsOf(call), ...objectsOf(call), ...uploadsOf(call) };
}

function bucketsOf(call: Call): Pick<Catalog, "createBucket" | "getBucket" | "listBuckets" | "deleteBucket"> {
  return {
    createBucket: async (bucket, options) =>
      bucketFrom(answerOf(await call("CreateBucket", { bucket }, options), "bucket")),
    async getBucket(bucket, options) {
      const message = await undefinedIf("BUCKET_NOT_FOUND", call("HeadBucket", { bucket }, options));
      return message && bucketFrom(answerOf(message, "bucket"));
    },
    listBuckets: async (options) => listOf(await call("ListBuckets", {}, options), "buckets").map(bucketFrom),
    async deleteBucket(bucket, options) {
      await call("DeleteBucket", { bucket }, options);
    },
  };
}

function objectsOf(call: Call): ObjectCatalog {
  return {
    async commitObject({ etag: _etag, content, durability, ...commit }, options) {
      const request = {
        ...commit,
        durability: durabilityName(durability),
        ...("inline" in content ? { inline: base64FromBytes(content.inline) } : { chunked: jsonFromContent(content) }),
      };
      return objectInfoFrom(answerOf(await call("CommitWrite", request, options), "info"));
    },
    async getObject(query, options) {
      const message = await undefinedIf("OBJECT_NOT_FOUND", call("Locate", query, options));
      if (message === undefined) return undefined;
      const manifestId = optionalTextOf(message, "manifestId");
      return {
        info: objectInfoFrom(answerOf(message, "info")),
        inline: "inline" in message ? bytesFromBase64(textOf(message, "inline")) : undefined,
        manifestId,
        page: manifestId === undefined ? undefined : manifestPageFrom(message),
      };
    },
    async getManifestPage({ manifestId, fromOffset, limit }, options) {
      // On a gateway with a cluster key the id is signed and says which object it is of; no gateway looks at this bucket and key.
      const request = { bucket: "-", key: "-", manifestId, fromOffset, chunkLimit: limit };
      return manifestPageFrom(await call("Locate", request, options));
    },
    deleteObject: async (query, options) => (await call("DeleteObject", query, options)).deleted === true,
    async listObjects(query, options) {
      const message = await call("ListObjects", query, options);
      const { prefixes } = message;
      return {
        objects: listOf(message, "objects").map(objectListEntryFrom),
        prefixes: Array.isArray(prefixes) ? prefixes.map(String) : [],
        nextCursor: optionalTextOf(message, "nextCursor"),
      };
    },
    copyObject: async (copy, options) => objectInfoFrom(answerOf(await call("CopyObject", copy, options), "info")),
    moveObject: async (move, options) => objectInfoFrom(answerOf(await call("MoveObject", move, options), "info")),
  };
}

function uploadsOf(
  call: Call,
): Pick<
  Catalog,
  "createUpload" | "getUpload" | "putPart" | "listParts" | "listUploads" | "completeUpload" | "abortUpload"
> {
  return {
    async createUpload(create, options) {
      const request = { ...create, durability: durabilityName(create.durability) };
      return uploadFrom(answerOf(await call("CreateUpload", request, options), "upload"));
    },
    getUpload: async (uploadId, options) =>
      uploadFrom(answerOf(await call("GetUpload", { uploadId }, options), "upload")),
    async putPart({ etag: _etag, content, ...part }, options) {
      const request = { ...part, content: jsonFromContent(content) };
      return partFrom(answerOf(await call("CommitPart", request, options), "part"));
    },
    async listParts(query, options) {
      const message = await call("ListParts", query, options);
      const nextPartNumber = integerOf(message, "nextPartNumber") || undefined;
      return { parts: listOf(message, "parts").map(partFrom), nextPartNumber };
    },
    async listUploads(query, options) {
      const message = await call("ListUploads", query, options);
      return {
        uploads: listOf(message, "uploads").map(uploadFrom),
        nextCursor: optionalTextOf(message, "nextCursor"),
      };
    },
    completeUpload: async (complete, options) =>
      objectInfoFrom(answerOf(await call("CompleteUpload", complete, options), "info")),
    async abortUpload(uploadId, options) {
      await call("AbortUpload", { uploadId }, options);
    },
  };
}

/** A gateway's tickets. */
export function createHttpGrantSource(connection: HttpConnection): GrantSource {
  return {
    async beginWrite(request, options) {
      const message = await connection.rpc("ObjectService/BeginWrite", request, options);
      return {
        ticket: nameOf(message, "ticket"),
        grant: textOf(message, "grant"),
        expiresInMs: integerOf(message, "expiresInMs"),
      };
    },
  };
}

/** A gateway's access tokens. */
export function createHttpAccessTokenSource(connection: HttpConnection): AccessTokenSource {
  return {
    async createAccessToken(request, options) {
      const message = await connection.rpc("ObjectService/CreateAccessToken", request, options);
      return { token: nameOf(message, "token"), expiresAtMs: integerOf(message, "expiresAtMs") };
    },
  };
}
