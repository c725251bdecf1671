/** What counts as one client. A client that has many of one kind, such as addresses, is still bounded by the other kinds. */
export type ShareKind = "address" | "connection" | "credential" | "token";

/** Whom an amount counts for. Kinds that are not known are left out; it still counts in the total. */
export type Holder = { readonly [Kind in ShareKind]?: object | string | undefined };

/** Why an amount does not fit: a share of its holder is used up, or the whole is. */
export type ShortOf = ShareKind | "all";

/** Shares out a bounded number of slots or bytes. */
export interface Shares {
  /**
   * Why this holder cannot have `amount` more; `undefined` if it can.
   *
   * @param part of the holder's shares that it may use, up to 1; default 1.
   */
  shortOf(amount: number, holder: Holder | undefined, part?: number): ShortOf | undefined;
  /** Counts `amount` for the holder; a negative amount gives back. */
  add(amount: number, holder: Holder | undefined): void;
  /** Counts an amount that is taken already for this holder too. @returns whether that is within its shares; else nothing changes. */
  join(amount: number, holder: Holder): boolean;
  countOf(kind: ShareKind, id: object | string): number;
  takenCount(): number;
}

/**
 * Shares that shrink as the whole fills: a holder has at most a multiple of what is free (dynamic thresholds, Choudhury and Hahne 1998,
 * https://doi.org/10.1109/90.664262).
 *
 * A holder gets up to `alone` if nobody else wants any. Several greedy holders get equal parts, and some is always free for one that has nothing yet.
 * Nothing is taken away from a holder, so nobody loses work. What a holder takes first fits if there is room at all.
 *
 * @param options.alone what one of a kind gets when nobody else wants any; a kind that is not named has no share.
 */
export function createShares(options: {
  readonly max: number;
  readonly alone: { readonly [Kind in ShareKind]?: number | undefined };
}): Shares {
  const { max } = options;
  const kinds = Object.entries(options.alone).map(([kind, alone]) => ({
    kind: kind as ShareKind,
    alone: Math.min(alone ?? max, max),
    counts: new Map<object | string, number>(),
  }));
  let taken = 0;
  const isShort = (
    { kind, alone, counts }: (typeof kinds)[number],
    amount: number,
    holder: Holder | undefined,
    free: number,
  ): boolean => {
    const id = holder?.[kind];
    const held = id === undefined ? 0 : (counts.get(id) ?? 0);
    return held > 0 && (held + amount) * (max - alone) > alone * Math.max(0, free);
  };
  return {
    shortOf(amount, holder, part = 1) {
      const free = max - taken - amount;
      const share = kinds.find((each) => isShort(each, amount, holder, free * part));
      return share?.kind ?? (free < 0 ? "all" : undefined);
    },
    add(amount, holder) {
      taken += amount;
      count(kinds, amount, holder);
    },
    join(amount, holder) {
      const fits = !kinds.some((share) => isShort(share, amount, holder, max - taken));
      if (fits) count(kinds, amount, holder);
      return fits;
    },
    countOf: (kind, id) => kinds.find((share) => share.kind === kind)?.counts.get(id) ?? 0,
    takenCount: () => taken,
  };
}

function count(
  kinds: readonly { readonly kind: ShareKind; readonly counts: Map<object | string, number> }[],
  amount: number,
  holder: Holder | undefined,
): void {
  for (const { kind, counts } of kinds) {
    const id = holder?.[kind];
    if (id === undefined) continue;
    const sum = (counts.get(id) ?? 0) + amount;
    if (sum === 0) counts.delete(id);
    else counts.set(id, sum);
  }
}
