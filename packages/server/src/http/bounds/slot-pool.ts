import { createShares, type Holder, type ShareKind, type ShortOf } from "./shares.ts";

/** How many of one kind of request may run at once; an unknown holder counts only in the total. */
export interface SlotPoolLimits {
  readonly max: number;
  /** What one address, connection or credential may have of them when nobody else wants any: see {@link createShares}. */
  readonly alone?: { readonly [Kind in ShareKind]?: number | undefined };
  /** Whether a newcomer whose share is used up may end an older entry of its own holder. Default: only an entry of others, who hold more. */
  readonly ownGiveWay?: boolean | undefined;
}

/** One that holds a slot and can lose it to another. */
export interface GivesWay {
  /** Whether nothing is lost by its end now. */
  mayGiveWay(): boolean;
  giveWay(): void;
}

/** A slot that is taken. */
export interface Slot {
  /** Counts the slot for further kinds of its holder too. @returns whether it is within those shares. */
  join(more: Holder): boolean;
  /** Gives it back. Idempotent. */
  release(): void;
}

/** Slots that are taken and given back. */
export interface SlotPool {
  /** @returns `undefined` if there is none for this holder, and nobody gives way. */
  take(holder: Holder | undefined, entry?: GivesWay): Slot | undefined;
  hasRoomFor(holder: Holder | undefined): boolean;
  takenCount(): number;
  /** What is taken, from 0 to 1. */
  crowding(): number;
}

interface Entry {
  readonly holder: Holder;
  readonly gives: GivesWay;
  readonly release: () => void;
}

/** A pool with a bound in all, and shares of what one address, connection or credential can have of it. */
export function createSlotPool({ max, alone = {}, ownGiveWay = false }: SlotPoolLimits): SlotPool {
  const shares = createShares({ max, alone });
  // In the order of taking, so that the oldest come first.
  const entries = new Set<Entry>();
  const heldBy = ({ address }: Holder): number => (address === undefined ? 0 : shares.countOf("address", address));

  /** Of those whose end helps, the oldest of the address that holds most. */
  const victimFor = (holder: Holder, short: ShortOf): Entry | undefined => {
    if (short !== "all" && !ownGiveWay) return undefined;
    let [victim, most] = [undefined as Entry | undefined, heldBy(holder) - (ownGiveWay ? 1 : 0)];
    for (const entry of entries) {
      if (short !== "all" && entry.holder[short] !== holder[short]) continue;
      const held = heldBy(entry.holder);
      if (held > most && entry.gives.mayGiveWay()) [victim, most] = [entry, held];
    }
    return victim;
  };
  return {
    take(holder, gives) {
      for (;;) {
        const short = shares.shortOf(1, holder);
        if (short === undefined) break;
        const victim = holder && victimFor(holder, short);
        if (victim === undefined) return undefined;
        victim.release();
        victim.gives.giveWay();
      }
      const holders: (Holder | undefined)[] = [holder];
      shares.add(1, holder);
      let held = true;
      const release = (): void => {
        if (!held) return;
        held = false;
        shares.add(-1, Object.assign({}, ...holders));
        if (entry !== undefined) entries.delete(entry);
      };
      const entry = gives && holder && { holder, gives, release };
      if (entry !== undefined) entries.add(entry);
      return {
        join(more) {
          const fits = held && shares.join(1, more);
          if (fits) holders.push(more);
          return fits;
        },
        release,
      };
    },
    hasRoomFor: (holder) => shares.shortOf(1, holder) === undefined,
    takenCount: shares.takenCount,
    crowding: () => shares.takenCount() / max,
  };
}
