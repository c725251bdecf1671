import { AshlarError } from "@ashlar/sdk/errors";
import { digestFromBytes } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import { decodeDurability, decodeInteger, decodeText, type PutChunkRequestMessage } from "@ashlar/sdk/rpc";
import type { IncomingChunk } from "./chunk-writer.ts";

/** A PutChunk stream taken apart. */
export interface PutChunkStream {
  /** What the header says; `sizeBytes` is always there. */
  readonly chunk: IncomingChunk;
  /** The bytes of the frames, checked as they come; to be read once. */
  readonly frames: AsyncIterable<Uint8Array>;
}

/**
 * Reads the header of a PutChunk stream.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a stream that is empty or does not begin with a header, and for a bad header. The frames throw
 *   INVALID_ARGUMENT for a second header, an empty message, or a frame over FRAME_MAX_BYTES, and OBJECT_TOO_LARGE for more bytes than declared.
 */
export async function readPutChunk(requests: AsyncIterable<PutChunkRequestMessage>): Promise<PutChunkStream> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) throw invalid("the stream has no header");
  const { payload } = first.value;
  if (payload.case !== "header") throw invalid("the first message of the stream is not a header");
  const { chunkId, sizeBytes, nodeId, durability } = payload.value;
  const declaredBytes = decodeInteger(sizeBytes, "size_bytes");
  return {
    chunk: {
      chunkId: digestFromBytes(chunkId),
      sizeBytes: declaredBytes,
      nodeId: decodeText(nodeId),
      durability: decodeDurability(durability),
    },
    frames: readFrames(iterator, declaredBytes),
  };
}

async function* readFrames(
  iterator: AsyncIterator<PutChunkRequestMessage>,
  declaredBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let receivedBytes = 0;
  let ended = false;
  try {
    for (;;) {
      const next = await iterator.next();
      if (next.done === true) break;
      const frame = frameOf(next.value);
      receivedBytes += frame.byteLength;
      if (receivedBytes > declaredBytes) {
        throw new AshlarError("OBJECT_TOO_LARGE", `the stream has more than the ${declaredBytes} bytes of its header`);
      }
      yield frame;
    }
    ended = true;
  } finally {
    if (!ended) iterator.return?.().then(undefined, () => {});
  }
}

function frameOf({ payload }: PutChunkRequestMessage): Uint8Array {
  if (payload.case === "header") throw invalid("the stream has a second header");
  if (payload.case === undefined) throw invalid("a message of the stream is empty");
  const frameMaxBytes = LIMITS.FRAME_MAX_BYTES;
  if (payload.value.byteLength > frameMaxBytes) throw invalid(`a frame has at most ${frameMaxBytes} bytes`);
  return payload.value;
}

function invalid(message: string): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", message);
}
