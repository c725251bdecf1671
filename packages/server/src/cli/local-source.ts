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
  /** `undefined` where only the end tells. */
  readonly sizeBytes: number | undefined;
  /** Compares the file with what it was at the start; `undefined`: nothing happened, or nobody can tell. */
  change(): Promise<SourceChange | undefined>;
}

/** What fits a reading of one file well: large enough that syscalls do not count. */
const READ_BYTES = 1024 * 1024;

/**
 * Opens a file, or standard input.
 *
 * Of a file that grows meanwhile, such as a log, the bytes are those that were there at the start. Files that the kernel makes up as they are
 * read (`/proc`, `/sys`) tell a size of 0, or one that they do not keep: they are read to their end.
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
  // What holds no block on any disk may be made up while it is read.
  const isKnown = before.isFile() && before.size > 0n && before.blocks > 0n;
  const maxBytes = before.isFile() && before.size > 0n ? Number(before.size) : Number.POSITIVE_INFINITY;
  // No stream of the file system's own: those close the file when they are let go, and what happened to it is asked afterwards.
  const body = Readable.from(slicesOf(handle, maxBytes), { objectMode: false, highWaterMark: READ_BYTES });
  // Whoever reads it is told; before anybody does, an error would end the process.
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
      // A pipe that nobody writes to is closed when its last read ends, which may be never.
      const closed = handle.close().catch(() => {});
      if (before.isFile()) await closed;
    },
  };
}

/** The bytes from where the file stands, up to a count or its end. */
async function* slicesOf(handle: FileHandle, maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let left = maxBytes; left > 0; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafeSlow(Math.min(READ_BYTES, left)));
    if (bytesRead === 0) return;
    left -= bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A pipe opens when somebody writes to it: until then only the signal ends the wait. */
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
    // It may still open, when nobody wants it any more.
    opening.then(
      (handle) => handle.close(),
      () => {},
    );
    throw fileError(error, file);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
