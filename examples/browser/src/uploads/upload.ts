import type { ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk";
import { ANSWER_MS } from "../answer-limit.ts";
import { createTransfer, type Transfer } from "../transfers/transfer.ts";
import type { PickedFile } from "./picked-files.ts";
import { dropToken, findToken } from "./resume-tokens.ts";
import { uploadFile } from "./upload-file.ts";

/** What to upload, and where to. */
export interface UploadOptions {
  readonly picked: PickedFile;
  readonly bucket: string;
  readonly key: string;
  /** The client of the way that is chosen when the upload starts or goes on. */
  readonly client: () => Promise<ObjectClient>;
  readonly onChange: () => void;
}

/** The upload of one file. */
export function createUpload({ picked, bucket, key, client, onChange }: UploadOptions): Transfer {
  const { file, handle, path } = picked;
  const known = new Map<number, string>();
  /** What was there before this page sent any of it. */
  let foundBytes = file.size;
  return createTransfer({
    direction: "upload",
    name: path,
    key,
    pausable: true,
    totalBytes: file.size,
    onChange,
    async move(tell, signal) {
      await uploadFile({
        ...{ client: await client(), bucket, key, file, handle, signal, known },
        onStage: (state) => tell({ state }),
        onProgress({ presentBytes, sentBytes }) {
          // After a pause, bytes that this page has sent are there too; if the store has aborted the upload, less is there.
          foundBytes = Math.min(foundBytes, presentBytes);
          tell({ presentBytes: foundBytes, movedBytes: presentBytes + sentBytes - foundBytes });
        },
      });
    },
    async discard() {
      const token = await findToken(bucket, key, file);
      if (token !== undefined) await discardUpload(await client(), token.uploadId);
    },
  });
}

/** Aborts an unfinished upload: the store frees its parts. */
export async function discardUpload(client: ObjectClient, uploadId: string): Promise<void> {
  await client.abortUpload({ uploadId, timeoutMs: ANSWER_MS }).catch((error: unknown) => {
    if (!AshlarError.is(error, "UPLOAD_NOT_FOUND")) throw error;
  });
  await dropToken(uploadId);
}
