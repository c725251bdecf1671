import { AshlarError } from "@ashlar/sdk/errors";
import { assertInScope, type TicketGrant } from "../../grants/index.ts";
import type { Principal } from "../auth/authenticator.ts";
import type { GatewayContext } from "../gateway-context.ts";

/**
 * Verifies the ticket of a commit.
 *
 * @returns `undefined` on an insecure gateway, where a commit needs none.
 * @throws {AshlarError} UNAUTHENTICATED (none, forged, expired), PERMISSION_DENIED (of another bucket, key or API key).
 */
export async function checkTicket(
  context: GatewayContext,
  ticket: string | undefined,
  scope: { readonly bucket: string; readonly key: string; readonly principal: Principal },
): Promise<TicketGrant | undefined> {
  if (context.grants === undefined) return undefined;
  if (ticket === undefined) {
    if (context.insecure) return undefined;
    throw new AshlarError("UNAUTHENTICATED", "a commit of chunks needs the ticket of BeginWrite");
  }
  const grant = await context.grants.verify(ticket, ["ticket"]);
  assertInScope(grant, { bucket: scope.bucket, key: scope.key, apiKeyId: scope.principal.apiKeyId });
  return grant;
}
