import { AshlarError } from "@ashlar/sdk";
import type { Transfer } from "./transfer.ts";

/** Files that move at once. */
const AT_ONCE = 3;

/** Runs transfers, a few at a time, in the order in which they came. */
export interface TransferQueue {
  /** In the order in which they came; those that were removed are not among them. */
  readonly transfers: () => readonly Transfer[];
  add(transfer: Transfer): void;
  /** Lets a paused or failed transfer go on. */
  resume(transfer: Transfer): void;
  pauseAll(): void;
  resumeAll(): void;
  /** Removes the transfers that are done or canceled from the list. */
  clearEnded(): void;
  /** Starts what may start: to be called when a transfer has changed. */
  advance(): void;
}

export function createTransferQueue(onChange: () => void): TransferQueue {
  let transfers: readonly Transfer[] = [];
  const running = new Set<Transfer>();
  const start = async (transfer: Transfer): Promise<void> => {
    running.add(transfer);
    await transfer.run();
    running.delete(transfer);
    advance();
  };
  const advance = (): void => {
    for (const transfer of transfers) {
      if (running.size >= AT_ONCE) return;
      if (transfer.status().state === "waiting" && !running.has(transfer)) void start(transfer);
    }
  };
  const resume = (transfer: Transfer): void => {
    if (isResumable(transfer)) transfer.enqueue();
    advance();
  };
  return {
    transfers: () => transfers,
    add(transfer) {
      transfers = [...transfers, transfer];
      onChange();
      advance();
    },
    resume,
    pauseAll() {
      for (const transfer of transfers) if (isPausable(transfer)) transfer.pause();
    },
    resumeAll() {
      for (const transfer of transfers) resume(transfer);
    },
    clearEnded() {
      transfers = transfers.filter((transfer) => !["done", "canceled"].includes(transfer.status().state));
      onChange();
    },
    advance,
  };
}

/** Whether it can be paused now. */
export function isPausable(transfer: Transfer): boolean {
  return transfer.pausable && ["waiting", "checking", "moving"].includes(transfer.status().state);
}

/** Whether it may go on: the store would refuse again what it has refused once, for instance a name that is too long. */
export function isResumable(transfer: Transfer): boolean {
  const { state, error } = transfer.status();
  if (state === "failed")
    return !AshlarError.is(error, "INVALID_ARGUMENT") && !AshlarError.is(error, "OBJECT_TOO_LARGE");
  return state === "paused";
}

/** Whether closing the page now would interrupt it. */
export function isUnderWay(transfer: Transfer): boolean {
  return ["waiting", "checking", "moving", "finishing"].includes(transfer.status().state);
}
