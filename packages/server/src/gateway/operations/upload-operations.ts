import type {
  CompleteUpload,
  CreateUpload,
  Durability,
  ListPartsQuery,
  ListUploadsQuery,
  UploadPage,
  WritePartRequest,
} from "@ashlar/sdk/ports";
import type { Touched } from "../auth/check-scope.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { pageWithin } from "../page-within.ts";
import { object, single, within } from "./object-operations.ts";
import { type GatewayCall, operation } from "./operation.ts";

/** Names an upload. */
export interface UploadName {
  readonly uploadId: string;
}

type NewUpload = Omit<CreateUpload, "durability"> & { readonly durability?: Durability | undefined };

/** A part that is here as a whole. */
export interface WritePartInput extends WritePartRequest {
  readonly bytes: Uint8Array;
}

export const upload = ({ uploadId }: UploadName): readonly Touched[] => [{ kind: "upload", uploadId }];

/** Multipart uploads. */
export const UPLOAD_OPERATIONS = Object.freeze({
  createUpload: operation({
    access: "write",
    scope: object,
    run: ({ backend, durability }, create: NewUpload, call) =>
      backend.createUpload({ ...create, durability: create.durability ?? durability }, call),
  }),
  getUpload: operation({
    access: "write",
    scope: upload,
    run: ({ metadata }, { uploadId }: UploadName, { signal }) => metadata.getUpload(uploadId, { signal }),
  }),
  writePart: operation({
    access: "write",
    scope: upload,
    run: ({ backend }, { bytes, ...part }: WritePartInput, call) =>
      backend.writePart({ ...part, sizeBytes: bytes.byteLength }, single(bytes), call),
  }),
  completeUpload: operation({
    access: "write",
    scope: upload,
    run: ({ backend }, complete: CompleteUpload, call) => backend.completeUpload(complete, call),
  }),
  abortUpload: operation({
    access: "write",
    scope: upload,
    run: ({ backend }, { uploadId }: UploadName, call) => backend.abortUpload(uploadId, call),
  }),
  listParts: operation({
    access: "read",
    scope: upload,
    run: ({ backend }, query: ListPartsQuery, { signal }) => backend.listParts(query, { signal }),
  }),
  listUploads: operation({ access: "read", scope: within, run: listUploads }),
});

async function listUploads(
  { backend }: GatewayContext,
  query: ListUploadsQuery,
  { signal }: GatewayCall,
): Promise<UploadPage> {
  return await pageWithin(query.limit, async (limit) => {
    const page = await backend.listUploads({ ...query, limit }, { signal });
    return { page, rows: page.uploads };
  });
}
