import { randomUUID } from "node:crypto";
import type { BucketHandle, PutObjectOutcome } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import busboy from "busboy";
import type { Request } from "express";

const FILES_MAX = 20;

/**
 * Streams every file of a form into the store as it arrives: no temporary file, and never more than a few chunks in memory.
 *
 * All or nothing: when a file is too large, the store fails or the client goes away, what the form had stored before is deleted again.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a request that is no form or has no file, OBJECT_TOO_LARGE; and what the store throws.
 */
export async function storeForm(
  request: Request,
  { files, fileMaxBytes }: { readonly files: BucketHandle; readonly fileMaxBytes: number },
): Promise<readonly PutObjectOutcome[]> {
  const form = openForm(request, fileMaxBytes);
  const puts: Promise<PutObjectOutcome>[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      form.on("file", (_field, file, { filename, mimeType }) => {
        if (!filename) return void file.resume(); // a file input that was left empty
        // With the random part, files of the same name have different keys, and nobody can guess a key.
        const key = `${randomUUID()}/${filename}`;
        const put = files.object(key).put(wholeFile(file, fileMaxBytes), { contentType: mimeType });
        put.catch(reject);
        puts.push(put);
      });
      form.on("filesLimit", () => reject(new AshlarError("INVALID_ARGUMENT", `at most ${FILES_MAX} files at once`)));
      form.on("error", (cause) => reject(new AshlarError("INVALID_ARGUMENT", "the form is broken", { cause })));
      form.on("close", resolve);
      request.on("close", () => request.complete || reject(new AshlarError("CANCELED", "the client went away")));
      request.pipe(form);
    });
    if (puts.length === 0) throw new AshlarError("INVALID_ARGUMENT", "the form has no file");
    return await Promise.all(puts);
  } catch (error) {
    request.unpipe(form).resume(); // the rest is read and dropped, so that the client sees the answer
    form.destroy(); // ends the files that are still arriving, and so their puts
    for (const outcome of await Promise.allSettled(puts)) {
      if (outcome.status === "fulfilled") await files.object(outcome.value.key).delete();
    }
    throw error;
  }
}

function openForm(request: Request, fileMaxBytes: number): busboy.Busboy {
  try {
    // busboy treats a file that reaches the limit like one that exceeds it.
    const limits = { files: FILES_MAX, fileSize: fileMaxBytes + 1 };
    return busboy({ headers: request.headers, defParamCharset: "utf8", limits });
  } catch (cause) {
    throw new AshlarError("INVALID_ARGUMENT", "send a form, as multipart/form-data", { cause });
  }
}

/** busboy ends a file that is too large as if it were complete. An error makes the store drop it. */
async function* wholeFile(
  file: AsyncIterable<Uint8Array> & { readonly truncated?: boolean },
  fileMaxBytes: number,
): AsyncGenerator<Uint8Array> {
  yield* file;
  if (file.truncated) throw new AshlarError("OBJECT_TOO_LARGE", `a file may have ${fileMaxBytes} bytes`);
}
