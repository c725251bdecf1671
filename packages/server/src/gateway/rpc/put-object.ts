import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  decodePutObjectHeader,
  encodePutOutcome,
  type ObjectService,
  type PutObjectRequestMessage,
} from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { rpcWriteOptions } from "../auth/write-options.ts";
import { confirmedBody } from "../confirmed-body.ts";
import { assertWorthSending } from "../early-checks.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { WRITE_OBJECT_MAX_BYTES } from "./message-limits.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "putObject" | "writeObject">;

/** Writes of whole objects, from a stream and in one message. */
export function putObjectHandlers(context: GatewayContext): Handlers {
  return {
    async putObject(messages, call) {
      const write = rpcWriteOptions(call);
      const iterator = messages[Symbol.asyncIterator]();
      const first = await iterator.next();
      const payload = first.done === true ? undefined : first.value.payload;
      if (payload?.case !== "header") throw invalid("the first message of PutObject is its header");
      const request = decodePutObjectHeader(payload.value);
      await assertWorthSending(context, request, write);
      const body = confirmedBody(frames(iterator), request, call.values);
      const outcome = await context.backend.putObject(request, body, write);
      return { outcome: encodePutOutcome(outcome) };
    },
    async writeObject({ header, data }, call) {
      if (header === undefined) throw invalid("WriteObject needs a header");
      if (data.byteLength > WRITE_OBJECT_MAX_BYTES) {
        throw new AshlarError("OBJECT_TOO_LARGE", `WriteObject takes at most ${WRITE_OBJECT_MAX_BYTES} bytes`);
      }
      const request = decodePutObjectHeader(header);
      const put = { sizeBytes: data.byteLength, ...request };
      const outcome = await context.backend.putObject(put, single(data), rpcWriteOptions(call));
      return { outcome: encodePutOutcome(outcome) };
    },
  };
}

/** The bytes of the messages after the header. The next message is read when the engine has room for it. */
async function* frames(messages: AsyncIterator<PutObjectRequestMessage>): AsyncGenerator<Uint8Array> {
  for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
    const { payload } = next.value;
    if (payload.case !== "frame") throw invalid("every message of PutObject after the first is a frame");
    if (payload.value.byteLength > LIMITS.FRAME_MAX_BYTES.value) {
      throw invalid(`a frame has at most ${LIMITS.FRAME_MAX_BYTES.value} bytes`);
    }
    if (payload.value.byteLength > 0) yield payload.value;
  }
}

/** A body of one slice; none for no bytes. */
export async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}

const invalid = (message: string): AshlarError => new AshlarError("INVALID_ARGUMENT", message);
