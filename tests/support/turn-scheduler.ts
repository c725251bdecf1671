import { setImmediate as settled } from "node:timers/promises";
import type { SeededRandom } from "./seeded-random.ts";

/**
 * Decides from a seed in which order concurrent calls go on.
 *
 * Each call of a wrapped object waits for its turn before it begins and again before its answer arrives, and the seed picks who is next. So every
 * step of one party can come between any two steps of another, and a run can be replayed.
 */
export interface TurnScheduler {
  /** Waits for a turn. */
  turn(): Promise<void>;
  /** The object, but each call of the named methods waits for a turn before and after. */
  wrap<T extends object>(target: T, methods: readonly (keyof T)[]): T;
  /**
   * Gives turns until all of `work` has settled.
   * @param onTurn called before each turn.
   * @param onIdle called when nobody waits for a turn: lets time go by for who sleeps, and says whether anybody did. Default: nobody sleeps.
   */
  run(work: readonly Promise<unknown>[], onTurn: () => void, onIdle?: () => boolean): Promise<void>;
}

export function createTurnScheduler(random: SeededRandom): TurnScheduler {
  const waiting: (() => void)[] = [];
  const scheduler: TurnScheduler = {
    turn: () => new Promise((resolve) => waiting.push(resolve)),
    wrap(target, methods) {
      const wrapped = { ...target };
      for (const method of methods) {
        const call = target[method] as (...input: unknown[]) => Promise<unknown>;
        const slow = async (...input: unknown[]): Promise<unknown> => {
          await scheduler.turn();
          try {
            return await call.apply(target, input);
          } finally {
            await scheduler.turn();
          }
        };
        wrapped[method] = slow as never;
      }
      return wrapped;
    },
    async run(work, onTurn, onIdle = () => false) {
      let open = true;
      const all = Promise.allSettled(work).then(() => {
        open = false;
      });
      for (;;) {
        await settled(); // everything that can go on without a turn has done so
        if (!open) break;
        const next = waiting.splice(random.below(waiting.length), 1)[0];
        if (next === undefined) {
          if (onIdle()) continue;
          throw new Error("nobody waits for a turn, and the work is not done: a deadlock");
        }
        onTurn();
        next();
      }
      await all;
    },
  };
  return scheduler;
}
