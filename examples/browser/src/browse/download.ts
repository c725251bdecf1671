import { MIB, type ObjectClient } from "@ashlar/sdk";
import { createTransfer, type Transfer } from "../transfers/transfer.ts";

/** What to download. */
export interface DownloadOptions {
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number;
  readonly client: () => Promise<ObjectClient>;
  readonly onChange: () => void;
}

/** Only Chromium has it. */
type SaveFilePicker = (options: { readonly suggestedName: string }) => Promise<FileSystemFileHandle>;

/** Larger objects are refused if the browser cannot write bytes to the disk as they come: the whole object would be in memory first. */
export const IN_MEMORY_MAX_BYTES: number = 512 * MIB;

/**
 * Prepares a download: to a file that the user picks, if the browser can write to it as the bytes come; otherwise through memory.
 *
 * Must be called by a click: the browser asks where to put the file.
 *
 * @returns `undefined` if the user picks no place for it.
 */
export async function createDownload(options: DownloadOptions): Promise<Transfer | undefined> {
  const { key, sizeBytes, client, bucket, onChange } = options;
  const name = key.slice(key.lastIndexOf("/") + 1);
  const picked = await pickFile(name);
  if (picked === "none") return undefined;
  const handle = picked === "unable" ? undefined : picked;
  return createTransfer({
    ...{ direction: "download", name, key, pausable: false, totalBytes: sizeBytes, onChange },
    async move(tell, signal) {
      if (handle === undefined && sizeBytes > IN_MEMORY_MAX_BYTES) {
        const error = new Error(`this browser downloads at most ${IN_MEMORY_MAX_BYTES / MIB} MiB; use another one`);
        throw error;
      }
      const object = await (await client()).getObject({
        ...{ bucket, key, signal },
        onProgress: ({ transferredBytes }) => tell({ movedBytes: transferredBytes }),
      });
      if (handle !== undefined) await object.stream().pipeTo(await handle.createWritable(), { signal });
      else
        save(new Blob([(await object.bytes()) as Uint8Array<ArrayBuffer>], { type: "application/octet-stream" }), name);
    },
    discard: async () => {},
  });
}

async function pickFile(suggestedName: string): Promise<FileSystemFileHandle | "none" | "unable"> {
  const pick = (globalThis as { showSaveFilePicker?: SaveFilePicker }).showSaveFilePicker;
  if (pick === undefined) return "unable";
  try {
    return await pick({ suggestedName });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return "none";
    throw error;
  }
}

/** Gives bytes to the browser's own downloads. */
function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // By then the browser has begun to read the bytes.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
