import { AshlarError, type ObjectClient } from "@ashlar/sdk";
import { ANSWER_MS } from "../answer-limit.ts";
import { element } from "../ui/elements.ts";
import { attempt } from "../ui/notices.ts";
import { unfinishedList } from "../ui/unfinished-list.ts";
import type { PickedFile } from "./picked-files.ts";
import { dropToken, listTokens } from "./resume-tokens.ts";
import { discardUpload } from "./upload.ts";
import { isComplete } from "./upload-file.ts";

/** What the list of unfinished uploads needs. */
export interface UnfinishedOptions {
  readonly bucket: string;
  readonly client: () => Promise<ObjectClient>;
  /** Whether an upload to the key is among the transfers already. */
  readonly isListed: (key: string) => boolean;
  readonly upload: (picked: PickedFile, key: string) => void;
}

/** The uploads that earlier visits left unfinished. `show` looks for them again. */
export function createUnfinished(options: UnfinishedOptions): { readonly node: HTMLElement; show(): void } {
  const { bucket, client, isListed, upload } = options;
  const node = element("div");
  const show = (): void =>
    attempt("look for unfinished uploads", async () => {
      const tokens = (await listTokens()).filter((token) => token.bucket === bucket && !isListed(token.key));
      node.replaceChildren(
        unfinishedList(tokens, {
          async storedBytes(token) {
            const bytes = await storedBytes(await client(), token.uploadId);
            if (bytes !== undefined || !(await isComplete(await client(), token))) return bytes;
            // The page went away between the completion and its answer.
            await dropToken(token.uploadId);
            show();
            return token.sizeBytes;
          },
          resume: ({ key }, picked) => upload(picked, key),
          async discard({ uploadId }) {
            await discardUpload(await client(), uploadId);
            show();
          },
        }),
      );
    });
  return { node, show };
}

async function storedBytes(client: ObjectClient, uploadId: string): Promise<number | undefined> {
  let bytes = 0;
  try {
    for await (const part of client.listParts({ uploadId, timeoutMs: ANSWER_MS })) bytes += part.sizeBytes;
    return bytes;
  } catch (error) {
    if (AshlarError.is(error, "UPLOAD_NOT_FOUND")) return undefined;
    throw error;
  }
}
