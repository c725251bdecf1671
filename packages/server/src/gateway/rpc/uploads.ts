import {
  decodeCompleteUpload,
  decodeCreateUpload,
  decodeListPartsQuery,
  decodeListUploadsQuery,
  decodeText,
  encodeObjectInfo,
  encodePartInfo,
  encodePartPage,
  encodeUploadInfo,
  encodeUploadPage,
  type ObjectService,
} from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { rpcWriteOptions } from "../auth/write-options.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { pageWithin } from "../page-within.ts";
import { single } from "./put-object.ts";

type Handlers = Pick<
  ServiceImpl<typeof ObjectService>,
  "createUpload" | "getUpload" | "writePart" | "completeUpload" | "abortUpload" | "listParts" | "listUploads"
>;

/** Multipart uploads. */
export function uploadHandlers({ backend, metadata, durability }: GatewayContext): Handlers {
  return {
    async createUpload(message, call) {
      const request = decodeCreateUpload(message);
      const upload = await backend.createUpload(
        { ...request, durability: request.durability ?? durability },
        rpcWriteOptions(call),
      );
      return { upload: encodeUploadInfo(upload) };
    },
    getUpload: async ({ uploadId }, { signal }) => ({
      upload: encodeUploadInfo(await metadata.getUpload(uploadId, { signal })),
    }),
    async writePart({ uploadId, partNumber, sha256, data }, call) {
      const request = { uploadId, partNumber, sizeBytes: data.byteLength, sha256: decodeText(sha256) };
      return { part: encodePartInfo(await backend.writePart(request, single(data), rpcWriteOptions(call))) };
    },
    completeUpload: async (message, call) => ({
      info: encodeObjectInfo(await backend.completeUpload(decodeCompleteUpload(message), rpcWriteOptions(call))),
    }),
    async abortUpload({ uploadId }, call) {
      await backend.abortUpload(uploadId, rpcWriteOptions(call));
      return {};
    },
    listParts: async (message, { signal }) =>
      encodePartPage(await backend.listParts(decodeListPartsQuery(message), { signal })),
    async listUploads(message, { signal }) {
      const query = decodeListUploadsQuery(message);
      return await pageWithin(query.limit, async (limit) => {
        const found = await backend.listUploads({ ...query, limit }, { signal });
        return { page: encodeUploadPage(found), rows: found.uploads };
      });
    },
  };
}
