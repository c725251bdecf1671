import { attributesOf, conditionOf } from "./attributes.ts";
import { toByteStream } from "./body-source.ts";
import { assertConcurrency } from "./call-options.ts";
import type { ObjectClient } from "./object-client.ts";
import { walkPages } from "./pages.ts";
import type { SeatCall } from "./seat-calls.ts";

type UploadCalls = Pick<
  ObjectClient,
  "createUpload" | "writePart" | "listParts" | "listUploads" | "completeUpload" | "abortUpload"
>;

/** The client's methods on multipart uploads. */
export function createUploadCalls(call: SeatCall): UploadCalls {
  return {
    createUpload: (input) =>
      call(input, ({ backend }, signal) =>
        backend.createUpload(
          {
            bucket: input.bucket,
            key: input.key,
            attributes: attributesOf(input),
            durability: input.durability,
          },
          { signal },
        ),
      ),
    writePart: (input) =>
      call(input, ({ backend }, signal) => {
        assertConcurrency(input.concurrency);
        const { uploadId, partNumber, sha256, concurrency, onProgress } = input;
        const body = toByteStream(input.body);
        return backend.writePart({ uploadId, partNumber, sha256, sizeBytes: body.sizeBytes }, body.stream, {
          signal,
          concurrency,
          onProgress,
        });
      }),
    listParts: (input) =>
      walkPages(
        (afterPartNumber: number | undefined) =>
          call(input, ({ backend }, signal) =>
            backend.listParts({ uploadId: input.uploadId, afterPartNumber }, { signal }),
          ),
        (page) => page.parts,
        (page) => page.nextPartNumber,
      ),
    listUploads: (input) =>
      walkPages(
        (cursor: string | undefined) =>
          call(input, ({ backend }, signal) =>
            backend.listUploads({ bucket: input.bucket, prefix: input.prefix, cursor }, { signal }),
          ),
        (page) => page.uploads,
        (page) => page.nextCursor,
      ),
    completeUpload: (input) =>
      call(input, ({ backend }, signal) => {
        const { uploadId, parts, sha256 } = input;
        return backend.completeUpload({ uploadId, parts, sha256, condition: conditionOf(input) }, { signal });
      }),
    abortUpload: (input) => call(input, ({ backend }, signal) => backend.abortUpload(input.uploadId, { signal })),
  };
}
