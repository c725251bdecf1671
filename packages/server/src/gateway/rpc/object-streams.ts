import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  decodePutObjectHeader,
  encodeInteger,
  encodeObjectInfo,
  type GetObjectResponseSchema,
  type PutObjectRequestMessage,
} from "@ashlar/sdk/rpc";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { bytesOf } from "../../http/piece.ts";
import { framesOf } from "../../http/rpc/frames.ts";
import type { PutObjectInput } from "../operations/object-operations.ts";
import type { ReadableObject } from "../own-chunks.ts";

/** The object of a stream whose first message is its header. The next message is read when the engine has room for it. */
export async function putObject(messages: AsyncIterable<PutObjectRequestMessage>): Promise<PutObjectInput> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  const payload = first.done === true ? undefined : first.value.payload;
  if (payload?.case !== "header") throw invalid("the first message of PutObject is its header");
  return { request: decodePutObjectHeader(payload.value), body: frames(iterator) };
}

/** The bytes of the messages after the header. */
async function* frames(messages: AsyncIterator<PutObjectRequestMessage>): AsyncGenerator<Uint8Array> {
  for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
    const { payload } = next.value;
    if (payload.case !== "frame") throw invalid("every message of PutObject after the first is a frame");
    if (payload.value.byteLength > LIMITS.FRAME_MAX_BYTES) {
      throw invalid(`a frame has at most ${LIMITS.FRAME_MAX_BYTES} bytes`);
    }
    if (payload.value.byteLength > 0) yield payload.value;
  }
}

/** An object as a stream of messages. */
export async function* sendObject(
  opened: ReadableObject,
  frameBytes: number,
): AsyncGenerator<MessageInitShape<typeof GetObjectResponseSchema>> {
  const { info, offset, length } = opened;
  const header = { info: encodeObjectInfo(info), offset: encodeInteger(offset), length: encodeInteger(length) };
  yield { payload: { case: "opened", value: header } };
  const slices = opened.pieces === undefined ? opened.read() : bytesOf(opened.pieces("kept"));
  for await (const frame of framesOf(slices, frameBytes)) {
    if (frame.byteLength > 0) yield { payload: { case: "frame", value: frame } };
  }
}

const invalid = (message: string): AshlarError => new AshlarError("INVALID_ARGUMENT", message);
