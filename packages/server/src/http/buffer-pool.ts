/**
 * Memory for bytes on their way from a file to a socket, used again and again: page faults and garbage collection of fresh megabytes for each piece
 * would cost as much as the reading itself.
 *
 * PROMISE. A buffer that is taken is read and filled by nobody else.
 *
 * PROOF. A buffer is idle only after its one loan was given back, and a loan can be given back once. It is given back in one place: by the writer of
 * answers (nodejs-response.ts), in the callback of the last write of the piece, and only if that write did not fail. By then
 *
 * - the read into it is over: the piece exists only because its promise was fulfilled;
 * - over HTTP/1.1 the kernel has the bytes: Node calls back after the last `write(2)` of them, not when it queues them;
 * - over TLS they are encrypted into other memory, and over HTTP/2 Node calls back when the frames that point at them were written.
 *
 * In every other case (the client is gone with bytes still queued, a read was aborted while the kernel may still be filling the buffer, an API copies
 * the bytes later) nobody gives the buffer back, and the garbage collector frees it after the last reference to it. So a forgotten buffer costs an
 * allocation, and never somebody's bytes.
 *
 * Tests: lent-bodies.test.ts lets clients stop in the middle while others read, and looks at every byte.
 */
export interface BufferPool {
  readonly bufferBytes: number;
  /** Its old bytes may be anybody's: only what was read into it may be used. */
  take(): LentBuffer;
  idleCount(): number;
}

/** One loan of a buffer. */
export interface LentBuffer {
  readonly bytes: Uint8Array;
  /** Ends the loan; calls after the first do nothing. */
  giveBack(): void;
}

/** @param options.idleMax buffers that wait for their next use; more are not kept. */
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
