import {
  decodeGetObject,
  decodeHeadObject,
  encodeInteger,
  encodeObjectInfo,
  type ObjectService,
} from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { frameSize, framesOf } from "../../http/frames.ts";
import type { GatewayContext } from "../gateway-context.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "getObject" | "headObject">;

/** Reads. */
export function getObjectHandlers({ backend }: GatewayContext): Handlers {
  return {
    async *getObject(message, { signal }) {
      const frameBytes = frameSize(message.frameBytes);
      const opened = await backend.openObject(decodeGetObject(message), { signal });
      const { info, offset, length } = opened;
      const header = { info: encodeObjectInfo(info), offset: encodeInteger(offset), length: encodeInteger(length) };
      yield { payload: { case: "opened", value: header } };
      for await (const frame of framesOf(opened.read(), frameBytes)) {
        if (frame.byteLength > 0) yield { payload: { case: "frame", value: frame } };
      }
    },
    headObject: async (message, { signal }) => ({
      info: encodeObjectInfo(await backend.headObject(decodeHeadObject(message), { signal })),
    }),
  };
}
