import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { assertObjectKey } from "@ashlar/sdk/ports";
import {
  decodeCommitPart,
  decodeCommitWrite,
  decodeText,
  encodeInteger,
  encodeObjectInfo,
  encodePartInfo,
  type ObjectService,
} from "@ashlar/sdk/rpc";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type EndOptions, type GrantKeeper, RECEIPT_TTL_MS } from "../../grants/index.ts";
import { principalKey } from "../auth/auth-gate.ts";
import { callerOf } from "../auth/authenticator.ts";
import { rpcWriteOptions } from "../auth/write-options.ts";
import { type CommitCall, commitPart, commitWrite } from "../commit/commit-write.ts";
import { requireBucket } from "../early-checks.ts";
import type { GatewayContext } from "../gateway-context.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "beginWrite" | "commitWrite" | "commitPart">;

/** The two-step write of clients that store chunks themselves. */
export function directWriteHandlers(context: GatewayContext): Handlers {
  return {
    async beginWrite({ bucket, key, renew }, { signal, values }) {
      await requireBucket(context.backend, bucket, signal);
      if (key !== "") assertObjectKey(key);
      const principal = values.get(principalKey);
      const { apiKeyId, scope, expiresAtMs } = principal;
      const { credential } = callerOf(principal);
      const wanted = { bucket, key: decodeText(key), prefix: decodeText(scope?.prefix ?? ""), apiKeyId, credential };
      const end = { notAfterMs: expiresAtMs };
      const tokens = context.grants ? await issueTicket(context.grants, wanted, end, decodeText(renew)) : UNSIGNED;
      const lifeMs = LIMITS.GRANT_TTL_MS.value;
      const leftMs = Math.max(0, (expiresAtMs ?? Number.POSITIVE_INFINITY) - context.clock.nowMs());
      return { ...tokens, expiresInMs: encodeInteger(Math.min(lifeMs, leftMs)) };
    },
    commitWrite: async (message, call) => ({
      info: encodeObjectInfo(await commitWrite(context, decodeCommitWrite(message), commitCall(call))),
    }),
    commitPart: async (message, call) => ({
      part: encodePartInfo(await commitPart(context, decodeCommitPart(message), commitCall(call))),
    }),
  };
}

const commitCall = (call: HandlerContext): CommitCall => ({
  principal: call.values.get(principalKey),
  ...rpcWriteOptions(call),
});

/** What an insecure gateway without a cluster key gives: nobody checks it. */
const UNSIGNED: Tokens = Object.freeze({ ticket: "unsigned", grant: "unsigned" });

interface Tokens {
  readonly ticket: string;
  readonly grant: string;
}

interface Scope {
  readonly bucket: string;
  readonly key: string | undefined;
  /** Of the access token that asks. */
  readonly prefix: string | undefined;
  readonly apiKeyId: string;
  /** What the caller's use of chunk faces counts for. */
  readonly credential: string | undefined;
}

/**
 * Signs a ticket and the write grant that belongs to it. A renewal keeps the ticket id, to which receipts are bound, and may come late:
 * the caller showed an API key or access token, and the old ticket only tells which receipts go on being good.
 */
async function issueTicket(
  grants: GrantKeeper,
  scope: Scope,
  end: EndOptions,
  renew: string | undefined,
): Promise<Tokens> {
  const { apiKeyId, bucket, key, prefix, credential } = scope;
  let ticketId = grants.newTicketId();
  if (renew !== undefined) {
    const earlier = await grants.verify(renew, ["ticket"], { expiredForMs: RECEIPT_TTL_MS });
    const isSame = earlier.bucket === bucket && earlier.key === key && earlier.prefix === prefix;
    if (!isSame || earlier.apiKeyId !== apiKeyId) {
      throw new AshlarError(
        "PERMISSION_DENIED",
        "a renewal has the bucket, key, prefix and API key of the ticket that it renews",
      );
    }
    ticketId = earlier.ticketId;
  }
  const [ticket, grant] = await Promise.all([
    grants.issueTicket({ ticketId, bucket, key, prefix, apiKeyId }, end),
    grants.issueWrite({ ticketId, bucket, key, prefix, apiKeyId: credential }, end),
  ]);
  return { ticket, grant };
}
