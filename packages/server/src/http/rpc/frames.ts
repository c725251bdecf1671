import { setImmediate as nextTurn } from "node:timers/promises";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";

/** Frames after which others get a turn of the event loop: a reader on the same machine takes them as fast as they are made. */
const FRAMES_PER_TURN = 64;

/**
 * Size of the frames that a reader gets.
 *
 * @param asked 0: FRAME_DEFAULT_BYTES. Less than FRAME_MIN_BYTES counts as that: every frame is a message, made and encoded by itself.
 * @throws {AshlarError} INVALID_ARGUMENT above FRAME_MAX_BYTES.
 */
export function frameSize(asked: number): number {
  if (asked === 0) return LIMITS.FRAME_DEFAULT_BYTES;
  const maxBytes = LIMITS.FRAME_MAX_BYTES;
  if (asked > maxBytes) throw new AshlarError("INVALID_ARGUMENT", `frames have at most ${maxBytes} bytes`);
  return Math.max(asked, HTTP_LIMITS.FRAME_MIN_BYTES.value);
}

/** Cuts slices into frames, views of them. A slice without bytes is one frame. Lets the event loop turn in between. */
export async function* framesOf(
  slices: AsyncIterable<Uint8Array>,
  frameBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let frameCount = 0;
  for await (const slice of slices) {
    for (let start = 0; start < slice.byteLength || start === 0; start += frameBytes) {
      yield slice.subarray(start, start + frameBytes) as Uint8Array<ArrayBuffer>;
      frameCount++;
      if (frameCount % FRAMES_PER_TURN === 0) await nextTurn();
    }
  }
}
