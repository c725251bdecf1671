import { loadPart } from "../internal/load-part.ts";
import type { AccessTokenSource, Catalog, GrantSource, ObjectCatalog, ObjectInfo } from "../ports/index.ts";
import { encodeCondition } from "../rpc/attributes.ts";
import { encodeCommitPart, encodeCommitWrite } from "../rpc/commit.ts";
import { decodeInteger, encodeInteger, required } from "../rpc/integers.ts";
import { decodeObjectListPage, encodeCopyObject, encodeListObjectsQuery } from "../rpc/listing.ts";
import { decodeManifestPage, decodeStoredObject, encodeLocateRequest } from "../rpc/locate.ts";
import { decodeBucket, decodeObjectInfo } from "../rpc/object-info.ts";
import {
  decodePartInfo,
  decodePartPage,
  decodeUploadInfo,
  decodeUploadPage,
  encodeCompleteUpload,
  encodeCreateUpload,
  encodeListPartsQuery,
  encodeListUploadsQuery,
} from "../rpc/uploads.ts";
import { undefinedIf } from "./connection.ts";
import type { RpcConnection } from "./rpc-connection.ts";

/** A gateway's ObjectService as the catalog of an engine. */
export function createRpcCatalog(connection: RpcConnection): Catalog {
  return { ...bucketsOf(connection), ...objectsOf(connection), ...uploadsOf(connection) };
}

function bucketsOf({
  objects,
  call,
}: RpcConnection): Pick<Catalog, "createBucket" | "getBucket" | "listBuckets" | "deleteBucket"> {
  return {
    async createBucket(bucket, options) {
      return decodeBucket((await call(options, (rpc) => objects.createBucket({ bucket }, rpc))).bucket);
    },
    async getBucket(bucket, options) {
      const answer = await undefinedIf(
        "BUCKET_NOT_FOUND",
        call(options, (rpc) => objects.headBucket({ bucket }, rpc)),
      );
      return answer && decodeBucket(answer.bucket);
    },
    async listBuckets(options) {
      return (await call(options, (rpc) => objects.listBuckets({}, rpc))).buckets.map(decodeBucket);
    },
    async deleteBucket(bucket, options) {
      await call(options, (rpc) => objects.deleteBucket({ bucket }, rpc));
    },
  };
}

/** The object that a write made. */
const infoOf = async (
  answer: Promise<{ readonly info?: Parameters<typeof decodeObjectInfo>[0] }>,
): Promise<ObjectInfo> => decodeObjectInfo((await answer).info);

function objectsOf({ objects, call }: RpcConnection): ObjectCatalog {
  return {
    commitObject: (commit, options) =>
      infoOf(call(options, (rpc) => objects.commitWrite(encodeCommitWrite(commit), rpc))),
    async getObject(query, options) {
      const answer = await undefinedIf(
        "OBJECT_NOT_FOUND",
        call(options, (rpc) => objects.locate(encodeLocateRequest(query), rpc)),
      );
      return answer && decodeStoredObject(answer);
    },
    async getManifestPage({ manifestId, fromOffset, limit }, options) {
      // The manifest id contains the object's name; the gateway takes bucket and key from it.
      const request = { bucket: "-", key: "-", manifestId, fromOffset: encodeInteger(fromOffset), chunkLimit: limit };
      return decodeManifestPage(await call(options, (rpc) => objects.locate(request, rpc)));
    },
    async deleteObject({ bucket, key, condition }, options) {
      const request = { bucket, key, condition: encodeCondition(condition) };
      return (await call(options, (rpc) => objects.deleteObject(request, rpc))).deleted;
    },
    listObjects: async (query, options) =>
      decodeObjectListPage(await call(options, (rpc) => objects.listObjects(encodeListObjectsQuery(query), rpc))),
    copyObject: (copy, options) => infoOf(call(options, (rpc) => objects.copyObject(encodeCopyObject(copy), rpc))),
    // The request has the members of a copy, without attributes.
    moveObject: (move, options) =>
      infoOf(call(options, (rpc) => objects.moveObject(encodeCopyObject(move) as object, rpc))),
  };
}

function uploadsOf({
  objects,
  call,
}: RpcConnection): Pick<
  Catalog,
  "createUpload" | "getUpload" | "putPart" | "listParts" | "listUploads" | "completeUpload" | "abortUpload"
> {
  return {
    createUpload: async (create, options) =>
      decodeUploadInfo((await call(options, (rpc) => objects.createUpload(encodeCreateUpload(create), rpc))).upload),
    getUpload: async (uploadId, options) =>
      decodeUploadInfo((await call(options, (rpc) => objects.getUpload({ uploadId }, rpc))).upload),
    putPart: async (part, options) =>
      decodePartInfo((await call(options, (rpc) => objects.commitPart(encodeCommitPart(part), rpc))).part),
    listParts: async (query, options) =>
      decodePartPage(await call(options, (rpc) => objects.listParts(encodeListPartsQuery(query), rpc))),
    listUploads: async (query, options) =>
      decodeUploadPage(await call(options, (rpc) => objects.listUploads(encodeListUploadsQuery(query), rpc))),
    completeUpload: (complete, options) =>
      infoOf(call(options, (rpc) => objects.completeUpload(encodeCompleteUpload(complete), rpc))),
    async abortUpload(uploadId, options) {
      await call(options, (rpc) => objects.abortUpload({ uploadId }, rpc));
    },
  };
}

/** A gateway's tickets. */
export function createRpcGrantSource({ objects, call }: RpcConnection): GrantSource {
  return {
    async beginWrite({ bucket, key, renew }, options) {
      const request = { bucket, key: key ?? "", renew: renew ?? "" };
      const { ticket, grant, expiresInMs } = await call(options, (rpc) => objects.beginWrite(request, rpc));
      return { ticket: required(ticket, "ticket"), grant, expiresInMs: decodeInteger(expiresInMs, "expiresInMs") };
    },
  };
}

/** A gateway's access tokens. Web pages use tokens but create none, so this code is loaded with the first call. */
export function createRpcAccessTokenSource({ objects, call }: RpcConnection): AccessTokenSource {
  return {
    async createAccessToken(request, options) {
      const { decodeAccessToken, encodeAccessTokenRequest } = await loadPart(() => import("../rpc/access-token.ts"));
      const message = encodeAccessTokenRequest(request);
      return decodeAccessToken(await call(options, (rpc) => objects.createAccessToken(message, rpc)));
    },
  };
}
