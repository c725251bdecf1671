import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  decodeGetObject,
  decodeHeadObject,
  encodeInteger,
  encodeObjectInfo,
  type ObjectService,
} from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import type { GatewayContext } from "../gateway-context.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "getObject" | "headObject">;

/** Reads. */
export function getObjectHandlers({ backend }: GatewayContext): Handlers {
  return {
    async *getObject(message, { signal }) {
      const frameBytes = message.frameBytes === 0 ? LIMITS.FRAME_DEFAULT_BYTES.value : message.frameBytes;
      if (frameBytes > LIMITS.FRAME_MAX_BYTES.value) {
        throw new AshlarError("INVALID_ARGUMENT", `frames have at most ${LIMITS.FRAME_MAX_BYTES.value} bytes`);
      }
      const opened = await backend.openObject(decodeGetObject(message), { signal });
      const { info, offset, length } = opened;
      const header = { info: encodeObjectInfo(info), offset: encodeInteger(offset), length: encodeInteger(length) };
      yield { payload: { case: "opened", value: header } };
      for await (const slice of opened.read()) {
        for (let start = 0; start < slice.byteLength; start += frameBytes) {
          yield { payload: { case: "frame", value: slice.subarray(start, start + frameBytes) } };
        }
      }
    },
    headObject: async (message, { signal }) => ({
      info: encodeObjectInfo(await backend.headObject(decodeHeadObject(message), { signal })),
    }),
  };
}
