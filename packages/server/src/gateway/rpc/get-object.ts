import {
  decodeGetObject,
  decodeHeadObject,
  encodeInteger,
  encodeObjectInfo,
  type ObjectService,
} from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { frameSize, framesOf } from "../../http/frames.ts";
import { REQUEST_CONTEXT } from "../../http/request-context.ts";
import type { GatewayContext } from "../gateway-context.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "getObject" | "headObject">;

/** Reads. */
export function getObjectHandlers({ backend }: GatewayContext): Handlers {
  return {
    async *getObject(message, { signal, values }) {
      const frameBytes = frameSize(message.frameBytes);
      const budget = values.get(REQUEST_CONTEXT).answerBudget;
      const opened = await backend.openObject(decodeGetObject(message), { signal, budget });
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
