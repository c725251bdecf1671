import type { ReadBudget } from "@ashlar/sdk/ports";
import type { Exchange } from "../exchange/exchange.ts";
import { type ByteBudget, createLeases } from "./byte-budget.ts";
import type { Holder } from "./shares.ts";

/**
 * One answer's part of the bytes that a server holds for answers. Bytes that a handler forgets, or that a client did not take before it went away,
 * are given back when the exchange is over.
 *
 * @param holderOf called for every take: a caller is known only once its key was checked.
 */
export function createAnswerBudget(
  budget: ByteBudget,
  holderOf: () => Holder,
  exchange: Pick<Exchange, "ended">,
): ReadBudget {
  const leases = createLeases();
  void exchange.ended.then(leases.end);
  return {
    take: async (bytes, { signal } = {}) => leases.keep(await budget.take(bytes, { holder: holderOf(), signal })),
    tryTake(bytes) {
      const giveBack = budget.tryTake(bytes, holderOf());
      return giveBack && leases.keep(giveBack);
    },
  };
}
