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
import type { ServiceImpl } from "@connectrpc/connect";
import { type GrantKeeper, RECEIPT_TTL_MS } from "../../grants/index.ts";
import { principalKey } from "../auth/auth-gate.ts";
import { commitPart, commitWrite } from "../commit/commit-write.ts";
import { requireBucket } from "../early-checks.ts";
import type { GatewayContext } from "../gateway-context.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "beginWrite" | "commitWrite" | "commitPart">;

/** The two-step write of clients that store chunks themselves. */
export function directWriteHandlers(context: GatewayContext): Handlers {
  return {
    async beginWrite({ bucket, key, renew }, { signal, values }) {
      await requireBucket(context.backend, bucket, signal);
      if (key !== "") assertObjectKey(key);
      const scope = { bucket, key: decodeText(key), apiKeyId: values.get(principalKey).apiKeyId };
      const tokens = context.grants ? await issueTicket(context.grants, scope, decodeText(renew)) : UNSIGNED;
      return { ...tokens, expiresInMs: encodeInteger(LIMITS.GRANT_TTL_MS.value) };
    },
    commitWrite: async (message, { signal, values }) => ({
      info: encodeObjectInfo(
        await commitWrite(context, decodeCommitWrite(message), { principal: values.get(principalKey), signal }),
      ),
    }),
    commitPart: async (message, { signal, values }) => ({
      part: encodePartInfo(
        await commitPart(context, decodeCommitPart(message), { principal: values.get(principalKey), signal }),
      ),
    }),
  };
}

/** What an insecure gateway without a cluster key gives: nobody checks it. */
const UNSIGNED: Tokens = Object.freeze({ ticket: "unsigned", grant: "unsigned" });

interface Tokens {
  readonly ticket: string;
  readonly grant: string;
}

interface Scope {
  readonly bucket: string;
  readonly key: string | undefined;
  readonly apiKeyId: string;
}

/**
 * Signs a ticket and the write grant that belongs to it. A renewal keeps the ticket id, to which receipts are bound, and may come late:
 * the caller showed an API key, and the old ticket only tells which receipts go on being good.
 */
async function issueTicket(grants: GrantKeeper, scope: Scope, renew: string | undefined): Promise<Tokens> {
  const { apiKeyId, bucket, key } = scope;
  let ticketId = grants.newTicketId();
  if (renew !== undefined) {
    const earlier = await grants.verify(renew, ["ticket"], { expiredForMs: RECEIPT_TTL_MS });
    if (earlier.bucket !== bucket || earlier.key !== key || earlier.apiKeyId !== apiKeyId) {
      throw new AshlarError(
        "PERMISSION_DENIED",
        "a renewal has the bucket, key and API key of the ticket that it renews",
      );
    }
    ticketId = earlier.ticketId;
  }
  const [ticket, grant] = await Promise.all([
    grants.issueTicket({ ticketId, bucket, key, apiKeyId }),
    grants.issueWrite({ ticketId, bucket, key }),
  ]);
  return { ticket, grant };
}
