import type { GiveBack, ReadBudget } from "@ashlar/sdk/ports";
import type { ByteBudget } from "./byte-budget.ts";
import type { Exchange } from "./exchange.ts";
import type { Holder } from "./shares.ts";

/**
 * One answer's part in what a server holds for answers. What a handler forgets, or a client that went away leaves, is given back when the exchange is
 * over.
 *
 * @param holderOf asked with every take: a caller is known only once its key was checked.
 */
export function createAnswerBudget(
  budget: ByteBudget,
  holderOf: () => Holder,
  exchange: Pick<Exchange, "ended">,
): ReadBudget {
  const leases = new Set<GiveBack>();
  let isOver = false;
  void exchange.ended.then(() => {
    isOver = true;
    for (const giveBack of leases) giveBack();
  });
  const leased = (giveBack: GiveBack): GiveBack => {
    if (isOver) giveBack();
    else leases.add(giveBack);
    return (keptBytes = 0) => {
      if (keptBytes === 0) leases.delete(giveBack);
      giveBack(keptBytes);
    };
  };
  return {
    take: async (bytes, { signal } = {}) => leased(await budget.take(bytes, { holder: holderOf(), signal })),
    tryTake(bytes) {
      const giveBack = budget.tryTake(bytes, holderOf());
      return giveBack && leased(giveBack);
    },
  };
}
