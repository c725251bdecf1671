import { AshlarError } from "../errors/index.ts";
import type { CallOptions, Clock, GrantSource, WriteTicket } from "../ports/index.ts";

// What an upload holds only for a time: the claims of its chunks, and the tickets with which it writes them.

/** The part of a claim's life in which a commit may rely on it; the rest is time for the commit itself. Receipts expire in the same proportion. */
const USABLE_SHARE = 23 / 24;

/** A ticket is renewed when less than this part of its life is left. */
const RENEW_BELOW = 1 / 3;

/**
 * Starts the clock of an upload, before it claims its first chunk. Wall time counts too: a process that opens the store after the wall clock moved on
 * knows the claims by wall time alone, and deletes by it.
 *
 * @returns a function to call before each chunk and before each try of the commit; it throws CLAIM_EXPIRED.
 */
export function startClaims(clock: Clock, claimTtlMs: number): () => void {
  const elapsedMs = startElapsed(clock);
  return () => {
    if (elapsedMs() <= claimTtlMs * USABLE_SHARE) return;
    throw new AshlarError(
      "CLAIM_EXPIRED",
      "the upload took longer than its chunks are kept, or the clock moved on that far (sleep, or it was set): upload it again, or in parts",
    );
  };
}

/**
 * Tickets by bucket, asked for once and renewed while writes go on, so that a write costs no round trip for its ticket.
 *
 * A renewal continues the ticket: receipts given under the earlier one stay valid.
 */
export interface TicketCache {
  get(bucket: string, options?: CallOptions): Promise<WriteTicket>;
}

interface Held {
  readonly ticket: WriteTicket;
  readonly ageMs: () => number;
}

/** @param signal ends the requests for tickets, which belong to no single call. */
export function createTicketCache(grants: GrantSource, clock: Clock, signal?: AbortSignal): TicketCache {
  const held = new Map<string, Held>();
  const asking = new Map<string, Promise<WriteTicket>>();

  const ask = async (bucket: string, renew: string | undefined): Promise<WriteTicket> => {
    const ageMs = startElapsed(clock); // before asking: the ticket may be older than it looks, never younger
    const ticket = await grants.beginWrite({ bucket, renew }, { signal }).catch((error: unknown) => {
      // A gateway with another cluster key, or one that slept too long, refuses the old ticket: ask for a new one. If that fails, it was the API key.
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

/**
 * Starts to count time that must not be counted too short, because another process's clock decides when a claim or a ticket ends.
 *
 * @returns ms since the start, by wall or monotonic time, whichever is more, and never less than at an earlier call: while a machine sleeps its
 *   monotonic time may stand still, and wall time may be set.
 */
function startElapsed(clock: Clock): () => number {
  const wallMs = clock.nowMs();
  const monotonicMs = clock.monotonicMs();
  let mostMs = 0;
  return () => {
    mostMs = Math.max(mostMs, clock.nowMs() - wallMs, clock.monotonicMs() - monotonicMs);
    return mostMs;
  };
}
