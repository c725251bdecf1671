import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { AshlarError, throwIfAborted } from "@ashlar/sdk/errors";
import { fileError } from "../files/file-error.ts";
import { type CliIo, closedStream } from "./cli-io.ts";

/** What happened to a file while it was read. */
export type SourceChange = "grew" | "shrank" | "changed";

/** Bytes of this machine that become an object. */
export interface LocalSource extends AsyncDisposable {
  readonly body: Readable;
  /** `undefined` if it is known only at the end. */
  readonly sizeBytes: number | undefined;
  /** Compares the file with its state at the start; `undefined`: nothing changed, or that cannot be known. */
  change(): Promise<SourceChange | undefined>;
}

/** Size of one read: large enough that the cost of system calls does not matter. */
const READ_BYTES = 1024 * 1024;

/**
 * Opens a file, or standard input.
 *
 * Of a file that grows meanwhile, such as a log, only the bytes that were there at the start are read. Files that the kernel generates while they are
 * read (`/proc`, `/sys`) report a size of 0, or a wrong one: they are read to their end.
 *
 * @param file `-` for standard input.
 * @throws {AshlarError} INVALID_ARGUMENT if it is a folder, cannot be opened, or is a standard input that was closed.
 */
export async function openSource(file: string, io: CliIo, signal: AbortSignal): Promise<LocalSource> {
  if (file === "-") {
    if (io.closed?.stdin) throw closedStream("standard input", "for an empty object give it </dev/null");
    const nothing = async (): Promise<undefined> => {};
    return { body: io.stdin, sizeBytes: undefined, change: nothing, [Symbol.asyncDispose]: nothing };
  }
  const handle = await openFile(file, signal);
  try {
    return await sourceOf(handle, file);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function sourceOf(handle: FileHandle, file: string): Promise<LocalSource> {
  const before = await handle.stat({ bigint: true });
  if (before.isDirectory()) throw new AshlarError("INVALID_ARGUMENT", `${file} is a folder; put takes one file`);
  // A file without blocks on a disk may be generated while it is read.
  const isKnown = before.isFile() && before.size > 0n && before.blocks > 0n;
  const maxBytes = before.isFile() && before.size > 0n ? Number(before.size) : Number.POSITIVE_INFINITY;
  // Not a stream of the file handle: that closes the file when it is destroyed, and `change` looks at the file afterwards.
  const body = Readable.from(slicesOf(handle, maxBytes), { objectMode: false, highWaterMark: READ_BYTES });
  // The reader gets the error. Without this listener, an error before anything reads would end the process.
  body.on("error", () => {});
  return {
    body,
    sizeBytes: isKnown ? Number(before.size) : undefined,
    async change() {
      if (!isKnown) return undefined;
      const { size, mtimeNs } = await handle.stat({ bigint: true });
      if (size !== before.size) return size > before.size ? "grew" : "shrank";
      return mtimeNs === before.mtimeNs ? undefined : "changed";
    },
    async [Symbol.asyncDispose]() {
      body.destroy();
      // A pipe is closed when its last read ends. If nothing writes to it, that may never happen.
      const closed = handle.close().catch(() => {});
      if (before.isFile()) await closed;
    },
  };
}

/** The bytes from the file's current position, up to a count or its end. */
async function* slicesOf(handle: FileHandle, maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let left = maxBytes; left > 0; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafeSlow(Math.min(READ_BYTES, left)));
    if (bytesRead === 0) return;
    left -= bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Opening a pipe waits until something writes to it: until then only the signal ends the wait. */
async function openFile(file: string, signal: AbortSignal): Promise<FileHandle> {
  throwIfAborted(signal);
  const opening = open(file, "r");
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(AshlarError.from(signal.reason));
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([opening, aborted]);
  } catch (error) {
    // The file may still open later: close it then.
    opening.then(
      (handle) => handle.close(),
      () => {},
    );
    throw fileError(error, file);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
