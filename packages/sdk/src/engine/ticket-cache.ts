import { AshlarError } from "../errors/index.ts";
import type { CallOptions, Clock, GrantSource, WriteTicket } from "../ports/index.ts";
import { startElapsed } from "./elapsed.ts";

/** A ticket is renewed when less than this part of its life is left. */
const RENEW_BELOW = 1 / 3;

interface Held {
  readonly ticket: WriteTicket;
  readonly ageMs: () => number;
}

/**
 * Tickets by bucket, asked for once and renewed while writes go on, so that a write costs no round trip for its ticket.
 *
 * A renewal continues the ticket: receipts given under the earlier one stay good.
 */
export interface TicketCache {
  get(bucket: string, options?: CallOptions): Promise<WriteTicket>;
}

/** @param signal ends the asking, which belongs to no call alone. */
export function createTicketCache(grants: GrantSource, clock: Clock, signal?: AbortSignal): TicketCache {
  const held = new Map<string, Held>();
  const asking = new Map<string, Promise<WriteTicket>>();

  const ask = async (bucket: string, renew: string | undefined): Promise<WriteTicket> => {
    const ageMs = startElapsed(clock); // before asking: the ticket may be older than it looks, never younger
    const ticket = await grants.beginWrite({ bucket, renew }, { signal }).catch((error: unknown) => {
      // A gateway with another cluster key, or one that slept too long, refuses the old ticket: begin anew. Refused again, it was the API key.
      if (
        renew === undefined ||
        !(AshlarError.is(error, "UNAUTHENTICATED") || AshlarError.is(error, "PERMISSION_DENIED"))
      )
        throw error;
      return grants.beginWrite({ bucket }, { signal });
    });
    held.set(bucket, { ticket, ageMs });
    return ticket;
  };

  return {
    get(bucket) {
      const known = held.get(bucket);
      const leftMs = known === undefined ? 0 : known.ticket.expiresInMs - known.ageMs();
      if (known !== undefined && leftMs > known.ticket.expiresInMs * RENEW_BELOW) return Promise.resolve(known.ticket);
      let pending = asking.get(bucket);
      if (pending === undefined) {
        pending = ask(bucket, known?.ticket.ticket).finally(() => asking.delete(bucket));
        asking.set(bucket, pending);
      }
      return pending;
    },
  };
}
