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
    run: ({ engine, durability }, create: NewUpload, call) =>
      engine.createUpload({ ...create, durability: create.durability ?? durability }, call),
  }),
  getUpload: operation({
    access: "write",
    scope: upload,
    run: ({ metadata }, { uploadId }: UploadName, { signal }) => metadata.getUpload(uploadId, { signal }),
  }),
  writePart: operation({
    access: "write",
    scope: upload,
    run: ({ engine }, { bytes, ...part }: WritePartInput, call) =>
      engine.writePart({ ...part, sizeBytes: bytes.byteLength }, single(bytes), call),
  }),
  completeUpload: operation({
    access: "write",
    scope: upload,
    run: ({ engine }, complete: CompleteUpload, call) => engine.completeUpload(complete, call),
  }),
  abortUpload: operation({
    access: "write",
    scope: upload,
    run: ({ engine }, { uploadId }: UploadName, call) => engine.abortUpload(uploadId, call),
  }),
  listParts: operation({
    access: "read",
    scope: upload,
    run: ({ engine }, query: ListPartsQuery, { signal }) => engine.listParts(query, { signal }),
  }),
  listUploads: operation({ access: "read", scope: within, run: listUploads }),
});

async function listUploads(
  { engine }: GatewayContext,
  query: ListUploadsQuery,
  { signal }: GatewayCall,
): Promise<UploadPage> {
  return await pageWithin(query.limit, async (limit) => {
    const page = await engine.listUploads({ ...query, limit }, { signal });
    return { page, rows: page.uploads };
  });
}
