import { AshlarError } from "@ashlar/sdk/errors";
import {
  decodeAccessTokenRequest,
  decodeCommitPart,
  decodeCommitWrite,
  decodeCompleteUpload,
  decodeCondition,
  decodeCopyObject,
  decodeCreateUpload,
  decodeGetObject,
  decodeHeadObject,
  decodeListObjectsQuery,
  decodeListPartsQuery,
  decodeListUploadsQuery,
  decodeLocateRequest,
  decodePutObjectHeader,
  decodeText,
  ErrorReason,
  encodeAccessToken,
  encodeBucket,
  encodeInteger,
  encodeLocateResponse,
  encodeObjectInfo,
  encodeObjectListPage,
  encodePartInfo,
  encodePartPage,
  encodePutOutcome,
  encodeUploadInfo,
  encodeUploadPage,
  type ObjectService,
} from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { READ_GRANT_TTL_MS } from "../../grants/index.ts";
import { frameSize } from "../../http/rpc/frames.ts";
import { rpcCall } from "../gateway-call.ts";
import type { GatewayContext } from "../gateway-context.ts";
import type { GatewayOperations } from "../operations/index.ts";
import { WRITE_OBJECT_MAX_BYTES } from "./message-limits.ts";
import { putObject, sendObject } from "./object-streams.ts";

/** Every RPC of ObjectService: messages to the inputs of operations, and their results to messages. */
export function createObjectService(
  { perform }: GatewayOperations,
  { grants }: Pick<GatewayContext, "grants">,
): ServiceImpl<typeof ObjectService> {
  const readGrantTtlMs = grants === undefined ? 0 : READ_GRANT_TTL_MS;
  return {
    createBucket: async ({ bucket }, call) => ({
      bucket: encodeBucket(await perform("createBucket", { bucket }, rpcCall(call))),
    }),
    headBucket: async ({ bucket }, call) => ({
      bucket: encodeBucket(await perform("headBucket", { bucket }, rpcCall(call))),
    }),
    listBuckets: async (_message, call) => ({
      buckets: (await perform("listBuckets", {}, rpcCall(call))).map(encodeBucket),
    }),
    async deleteBucket({ bucket }, call) {
      await perform("deleteBucket", { bucket }, rpcCall(call));
      return {};
    },

    putObject: async (messages, call) => ({
      outcome: encodePutOutcome(await perform("putObject", await putObject(messages), rpcCall(call))),
    }),
    async writeObject({ header, data }, call) {
      if (header === undefined) throw new AshlarError("INVALID_ARGUMENT", "WriteObject needs a header");
      if (data.byteLength > WRITE_OBJECT_MAX_BYTES) {
        throw new AshlarError("OBJECT_TOO_LARGE", `WriteObject takes at most ${WRITE_OBJECT_MAX_BYTES} bytes`);
      }
      const input = { request: decodePutObjectHeader(header), body: data };
      return { outcome: encodePutOutcome(await perform("writeObject", input, rpcCall(call))) };
    },
    async *getObject(message, call) {
      const frameBytes = frameSize(message.frameBytes);
      yield* sendObject(await perform("getObject", decodeGetObject(message), rpcCall(call)), frameBytes);
    },
    headObject: async (message, call) => ({
      info: encodeObjectInfo(await perform("headObject", decodeHeadObject(message), rpcCall(call))),
    }),
    deleteObject: async ({ bucket, key, condition }, call) => ({
      deleted: await perform("deleteObject", { bucket, key, condition: decodeCondition(condition) }, rpcCall(call)),
    }),
    async deleteObjects({ bucket, keys }, call) {
      const outcomes = await perform("deleteObjects", { bucket, keys }, rpcCall(call));
      return {
        outcomes: outcomes.map(({ error, ...outcome }) => ({ ...outcome, ...(error && { error: errorInfo(error) }) })),
      };
    },
    listObjects: async (message, call) =>
      encodeObjectListPage(await perform("listObjects", decodeListObjectsQuery(message), rpcCall(call))),
    copyObject: async (message, call) => ({
      info: encodeObjectInfo(await perform("copyObject", decodeCopyObject(message), rpcCall(call))),
    }),
    async moveObject({ sourceBucket, sourceKey, sourceIfMatch, bucket, key, condition }, call) {
      const source = { sourceBucket, sourceKey, sourceIfMatch: decodeText(sourceIfMatch) };
      const move = { ...source, bucket, key, condition: decodeCondition(condition) };
      return { info: encodeObjectInfo(await perform("moveObject", move, rpcCall(call))) };
    },

    createUpload: async (message, call) => ({
      upload: encodeUploadInfo(await perform("createUpload", decodeCreateUpload(message), rpcCall(call))),
    }),
    getUpload: async ({ uploadId }, call) => ({
      upload: encodeUploadInfo(await perform("getUpload", { uploadId }, rpcCall(call))),
    }),
    async writePart({ uploadId, partNumber, sha256, data: bytes }, call) {
      const part = { uploadId, partNumber, sha256: decodeText(sha256), bytes };
      return { part: encodePartInfo(await perform("writePart", part, rpcCall(call))) };
    },
    completeUpload: async (message, call) => ({
      info: encodeObjectInfo(await perform("completeUpload", decodeCompleteUpload(message), rpcCall(call))),
    }),
    async abortUpload({ uploadId }, call) {
      await perform("abortUpload", { uploadId }, rpcCall(call));
      return {};
    },
    listParts: async (message, call) =>
      encodePartPage(await perform("listParts", decodeListPartsQuery(message), rpcCall(call))),
    listUploads: async (message, call) =>
      encodeUploadPage(await perform("listUploads", decodeListUploadsQuery(message), rpcCall(call))),

    async beginWrite({ bucket, key, renew }, call) {
      const begin = { bucket, key: decodeText(key), renew: decodeText(renew) };
      const { expiresInMs, ...tokens } = await perform("beginWrite", begin, rpcCall(call));
      return { ...tokens, expiresInMs: encodeInteger(expiresInMs) };
    },
    commitWrite: async (message, call) => ({
      info: encodeObjectInfo(await perform("commitWrite", decodeCommitWrite(message), rpcCall(call))),
    }),
    commitPart: async (message, call) => ({
      part: encodePartInfo(await perform("commitPart", decodeCommitPart(message), rpcCall(call))),
    }),
    locate: async (message, call) =>
      encodeLocateResponse(await perform("locate", decodeLocateRequest(message), rpcCall(call)), readGrantTtlMs),
    createAccessToken: async (message, call) =>
      encodeAccessToken(await perform("createAccessToken", decodeAccessTokenRequest(message), rpcCall(call))),
  };
}

const errorInfo = ({
  code,
  details,
}: AshlarError): { readonly reason: ErrorReason; readonly details: Record<string, string> } => ({
  reason: ErrorReason[code],
  details: { ...details },
});
