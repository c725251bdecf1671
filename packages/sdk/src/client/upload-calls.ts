import { attributesOf, conditionOf, withAttributes } from "./attributes.ts";
import { toByteStream } from "./body-source.ts";
import type { HeldBody } from "./held-body.ts";
import type { WritePartInput } from "./inputs.ts";
import type { ObjectClient } from "./object-client.ts";
import { walkPages } from "./pages.ts";
import type { SeatCall } from "./seat-calls.ts";

type UploadCalls = Pick<
  ObjectClient,
  "createUpload" | "listParts" | "listUploads" | "completeUpload" | "abortUpload"
> & { readonly writePart: (input: WritePartInput, held: HeldBody) => ReturnType<ObjectClient["writePart"]> };

/** The client's methods on multipart uploads. */
export function createUploadCalls(call: SeatCall): UploadCalls {
  return {
    createUpload: (input) =>
      call(input, async ({ engine }, _, write) =>
        withAttributes(
          await engine.createUpload(
            {
              bucket: input.bucket,
              key: input.key,
              attributes: attributesOf(input),
              durability: input.durability,
            },
            write,
          ),
        ),
      ),
    writePart: (input, held) =>
      call(input, ({ engine }, _, write) => {
        const { uploadId, partNumber, sha256, concurrency, onProgress } = input;
        const body = toByteStream(held);
        return engine.writePart({ uploadId, partNumber, sha256, sizeBytes: body.sizeBytes }, body.stream, {
          ...write,
          concurrency,
          onProgress,
        });
      }),
    listParts: (input) =>
      walkPages(
        (afterPartNumber: number | undefined) =>
          call(input, ({ engine }, signal) =>
            engine.listParts({ uploadId: input.uploadId, afterPartNumber }, { signal }),
          ),
        (page) => page.parts,
        (page) => page.nextPartNumber,
      ),
    listUploads: (input) =>
      walkPages(
        (cursor: string | undefined) =>
          call(input, ({ engine }, signal) =>
            engine.listUploads({ bucket: input.bucket, prefix: input.prefix, cursor }, { signal }),
          ),
        (page) => page.uploads.map(withAttributes),
        (page) => page.nextCursor,
      ),
    completeUpload: (input) =>
      call(input, async ({ engine }, _, write) => {
        const { uploadId, parts, sha256 } = input;
        const complete = { uploadId, parts, sha256, condition: conditionOf(input) };
        return withAttributes(await engine.completeUpload(complete, write));
      }),
    abortUpload: (input) => call(input, ({ engine }, _, write) => engine.abortUpload(input.uploadId, write)),
  };
}
