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
  get(bucket: string, options?: CallOptions): Promise<HeldTicket>;
  /**
   * A ticket in place of one that was refused, because its clock and the server's differ, or the machine slept unseen, or the cluster key was changed.
   *
   * @param refused ticket or grant. If another call has renewed it meanwhile, nothing is asked.
   */
  renew(bucket: string, refused: string): Promise<HeldTicket>;
}

/** A ticket of the cache. */
export interface HeldTicket extends WriteTicket {
  /** The same as long as each ticket continues the one before: receipts given under one are then good for the others. */
  readonly lineage: number;
}

interface Held {
  readonly ticket: HeldTicket;
  readonly ageMs: () => number;
}

/** @param signal ends the requests for tickets, which belong to no single call. */
export function createTicketCache(grants: GrantSource, clock: Clock, signal?: AbortSignal): TicketCache {
  const held = new Map<string, Held>();
  const asking = new Map<string, Promise<HeldTicket>>();
  let lineageCount = 0;

  const ask = async (bucket: string, known: HeldTicket | undefined): Promise<HeldTicket> => {
    // Before asking: the ticket may be older than it looks, never younger.
    const ageMs = startElapsed(clock);
    const begin = (renew?: string): Promise<WriteTicket> => grants.beginWrite({ bucket, renew }, { signal });
    const keep = (ticket: WriteTicket, lineage: number): HeldTicket => {
      const kept = { ...ticket, lineage };
      held.set(bucket, { ticket: kept, ageMs });
      return kept;
    };
    const continued = async (earlier: HeldTicket): Promise<HeldTicket> =>
      keep(await begin(earlier.ticket), earlier.lineage);
    const fresh = async (): Promise<HeldTicket> => keep(await begin(), ++lineageCount);
    if (known === undefined) return await fresh();
    try {
      return await continued(known);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // Under a new ticket the receipts of the old one are lost. So the old one is given up only if it is what was refused, and not the caller: an
      // access token that ended on its way is another one at the next try.
      if (isTicketRefused(error)) return await fresh();
    }
    return await continued(known).catch((error: unknown) => {
      if (!isRefusal(error)) throw error;
      // If it was the caller, this fails too.
      return fresh();
    });
  };
  const askOnce = (bucket: string, known: HeldTicket | undefined): Promise<HeldTicket> => {
    let pending = asking.get(bucket);
    if (pending === undefined) {
      pending = ask(bucket, known).finally(() => asking.delete(bucket));
      asking.set(bucket, pending);
    }
    return pending;
  };

  const get = async (bucket: string): Promise<HeldTicket> => {
    const known = held.get(bucket);
    const leftMs = known === undefined ? 0 : known.ticket.expiresInMs - known.ageMs();
    if (known !== undefined && leftMs > known.ticket.expiresInMs * RENEW_BELOW) return known.ticket;
    return await askOnce(bucket, known?.ticket);
  };
  return {
    get,
    async renew(bucket, refused) {
      const known = held.get(bucket)?.ticket;
      if (known === undefined || (known.ticket !== refused && known.grant !== refused)) return await get(bucket);
      return await askOnce(bucket, known);
    },
  };
}

/** Whether a server refused what the call showed: a grant, a ticket or a key. */
export function isRefusal(error: unknown): error is AshlarError {
  return AshlarError.is(error, "UNAUTHENTICATED") || AshlarError.is(error, "PERMISSION_DENIED");
}

/** Whether a gateway says that it refused the ticket that was to be renewed. Earlier releases do not say it. */
function isTicketRefused({ details }: AshlarError): boolean {
  return details.refused === "ticket";
}

/** The tickets of one upload: its chunks and its commit need tickets that continue each other. */
export interface UploadTickets {
  /** Stores a chunk under a grant; once more, if the ticket was replaced meanwhile by one that does not continue it. */
  forChunk<T>(store: (grant: string) => Promise<T>): Promise<T>;
  /** As `renewGrant` of a replicated write. */
  readonly renewGrant: (refused: string) => Promise<string>;
  /** Commits with a ticket; once more with a renewed one, if that is refused. */
  forCommit<T>(commit: (ticket: string) => Promise<T>): Promise<T>;
}

/**
 * Takes the tickets of an upload from the cache.
 *
 * @throws {AshlarError} (from its calls) CLAIM_EXPIRED once the gateway gives only tickets that the receipts of the stored chunks are not good for.
 */
export function startTickets(cache: TicketCache, bucket: string): UploadTickets {
  let lineage: number | undefined;
  let hasStored = false;
  const noted = (ticket: HeldTicket): HeldTicket => {
    if (hasStored && ticket.lineage !== lineage) {
      throw new AshlarError(
        "CLAIM_EXPIRED",
        "the gateway no longer takes the ticket that the first chunks were stored under (its cluster key was changed, or the API key is another): upload it again",
      );
    }
    lineage = ticket.lineage;
    return ticket;
  };
  return {
    async forChunk(store) {
      const ticket = noted(await cache.get(bucket));
      let result = await store(ticket.grant);
      // Some of its receipts are of the earlier lineage: a commit takes only receipts of one.
      if (lineage !== ticket.lineage) result = await store(noted(await cache.get(bucket)).grant);
      hasStored = true;
      return result;
    },
    renewGrant: async (refused) => noted(await cache.renew(bucket, refused)).grant,
    async forCommit(commit) {
      const { ticket } = noted(await cache.get(bucket));
      try {
        return await commit(ticket);
      } catch (error) {
        if (!AshlarError.is(error, "UNAUTHENTICATED")) throw error;
        const renewed = noted(await cache.renew(bucket, ticket));
        if (renewed.ticket === ticket) throw error;
        return await commit(renewed.ticket);
      }
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
