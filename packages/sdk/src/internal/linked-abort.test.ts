import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import { linkAbort, raceAbort } from "./linked-abort.ts";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

describe("a linked abort", () => {
  test("follows its parent, with the same reason", () => {
    const parent = new AbortController();
    const link = linkAbort(parent.signal);
    const reason = new Error("enough");
    parent.abort(reason);
    expect(link.signal.aborted).toBe(true);
    expect(link.signal.reason).toBe(reason);
  });

  test("of a parent that is aborted already is aborted", () => {
    expect(linkAbort(AbortSignal.abort("x")).signal.reason).toBe("x");
  });

  test("aborts by itself without touching its parent; the first reason wins", () => {
    const parent = new AbortController();
    const link = linkAbort(parent.signal);
    link.abort("first");
    parent.abort("second");
    expect(link.signal.reason).toBe("first");
  });

  test("stops following after unlink, and leaves no listener", () => {
    const parent = new AbortController();
    const link = linkAbort(parent.signal);
    expect(listeners(parent.signal)).toBe(1);
    link.unlink();
    expect(listeners(parent.signal)).toBe(0);
    parent.abort();
    expect(link.signal.aborted).toBe(false);
  });

  test("needs no parent", () => {
    const link = linkAbort(undefined);
    link.unlink();
    link.abort("own");
    expect(link.signal.reason).toBe("own");
  });
});

describe.each([["raceAbort", raceAbort]])("%s", (_, race) => {
  test("settles as the promise does, and leaves no listener", async () => {
    const { signal } = new AbortController();
    expect(await race(Promise.resolve(5), signal)).toBe(5);
    expect(await race(Promise.resolve(6), undefined)).toBe(6);
    const failure = new Error("no");
    await expect(race(Promise.reject(failure), signal)).rejects.toBe(failure);
    await Promise.resolve();
    expect(listeners(signal)).toBe(0);
  });

  test("rejects as soon as the signal aborts, even if the promise never settles", async () => {
    const controller = new AbortController();
    const racing = race(new Promise(() => {}), controller.signal);
    controller.abort();
    await expect(racing).rejects.toMatchObject({ code: "CANCELED" });
  });

  test("rejects at once for a signal that is aborted already, and ignores the promise's own failure", async () => {
    const own = new AshlarError("OVERLOADED", "own");
    await expect(race(Promise.reject(new Error("late")), AbortSignal.abort(own))).rejects.toBe(own);
  });
});
