import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { createSemaphore } from "./semaphore.ts";

describe("a semaphore", () => {
  test("gives out as many permits as it has, and then in the order of the calls", async () => {
    const semaphore = createSemaphore(2);
    const order: number[] = [];
    const enter = async (id: number): Promise<() => void> => {
      const release = await semaphore.acquire();
      order.push(id);
      return release;
    };
    const [first, second, third, fourth] = [enter(1), enter(2), enter(3), enter(4)];
    await Promise.all([first, second]);
    expect(order).toEqual([1, 2]);
    (await second)();
    await third;
    expect(order).toEqual([1, 2, 3]);
    (await first)();
    await fourth;
    expect(order).toEqual([1, 2, 3, 4]);
  });

  test("gives a permit back once, even if it is released twice", async () => {
    const semaphore = createSemaphore(1);
    const release = await semaphore.acquire();
    release();
    release();
    await semaphore.acquire();
    let entered = false;
    void semaphore.acquire().then(() => {
      entered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(entered).toBe(false);
  });

  test("rejects a waiter that aborts, which then holds no permit", async () => {
    const semaphore = createSemaphore(1);
    const release = await semaphore.acquire();
    const controller = new AbortController();
    const waiting = semaphore.acquire(controller.signal);
    const next = semaphore.acquire();
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "CANCELED" });
    release();
    await next;
  });

  test("refuses a signal that is aborted already, and leaves no listener on one that is not", async () => {
    const semaphore = createSemaphore(1);
    await expect(semaphore.acquire(AbortSignal.abort())).rejects.toMatchObject({ code: "CANCELED" });
    const { signal } = new AbortController();
    const release = await semaphore.acquire(signal);
    const waiting = semaphore.acquire(signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    release();
    await waiting;
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});
