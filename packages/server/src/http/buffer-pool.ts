/**
 * Memory for bytes on their way from a file to a socket, used again and again: fresh megabytes for each piece cost page faults and the garbage
 * collector as much as the reading itself.
 *
 * PROMISE. A buffer that is taken is read and filled by nobody else.
 *
 * PROOF. A buffer is idle only after its one loan was given back, and a loan can be given back once. It is given back in one place: by the writer of
 * answers (node-response.ts), in the callback of the last write of the piece, and only if that came without an error. By then
 *
 * - the read into it is over: the piece exists only because its promise was fulfilled;
 * - over HTTP/1.1 the kernel has the bytes: Node calls back after the last `write(2)` of them, not when it queues them;
 * - over TLS they are encrypted into other memory, and over HTTP/2 Node calls back when the frames that point at them were written.
 *
 * On every other way (the client is gone with bytes still queued, a read was aborted while the kernel may still be filling the buffer, a face copies from it
 * at its leisure) nobody gives it back, and it is the garbage collector's once the last one who knows it is gone. So forgetting costs an allocation, and never
 * somebody's bytes.
 *
 * Tests: lent-bodies.test.ts lets clients stop in the middle while others read, and looks at every byte.
 */
export interface BufferPool {
  readonly bufferBytes: number;
  /** The bytes in it are anybody's: only what was read into it may be looked at. */
  take(): LentBuffer;
  idleCount(): number;
}

/** One loan of a buffer. */
export interface LentBuffer {
  readonly bytes: Uint8Array;
  /** Ends the loan; calls after the first do nothing. */
  giveBack(): void;
}

/** @param options.idleMax buffers that wait for their next use; those above it go. */
export function createBufferPool({
  bufferBytes,
  idleMax,
}: {
  readonly bufferBytes: number;
  readonly idleMax: number;
}): BufferPool {
  const idle: Uint8Array[] = [];
  return {
    bufferBytes,
    idleCount: () => idle.length,
    take() {
      // The one used last: it is the likeliest to be in the processor's cache.
      const bytes = idle.pop() ?? freshBuffer(bufferBytes);
      let isLent = true;
      return {
        bytes,
        giveBack() {
          if (!isLent) return;
          isLent = false;
          if (idle.length < idleMax) idle.push(bytes);
        },
      };
    },
  };
}

/** Memory of its own, never a part of Node's shared pool. What it holds is not cleared. */
export function freshBuffer(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
}
