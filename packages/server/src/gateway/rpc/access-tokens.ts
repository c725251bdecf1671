import { decodeAccessTokenRequest, encodeAccessToken, type ObjectService } from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { principalKey } from "../auth/auth-gate.ts";
import { issueAccessToken } from "../auth/issue-access-token.ts";
import type { GatewayContext } from "../gateway-context.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "createAccessToken">;

/** Access tokens. */
export function accessTokenHandlers(context: GatewayContext): Handlers {
  return {
    async createAccessToken(message, { signal, values }) {
      const request = decodeAccessTokenRequest(message);
      return encodeAccessToken(
        await issueAccessToken(context, request, { principal: values.get(principalKey), signal }),
      );
    },
  };
}
