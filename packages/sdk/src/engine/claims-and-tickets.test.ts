import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import type { Clock, GrantSource } from "../ports/index.ts";
import { createTicketCache } from "./claims-and-tickets.ts";

function manual() {
  let now = 1000;
  let sleptMs = 0;
  const clock: Clock = { nowMs: () => now + sleptMs, monotonicMs: () => now, sleep: async () => {} };
  const advance = (ms: number): void => {
    now += ms;
  };
  /** Wall time goes on, monotonic time does not. */
  const sleep = (ms: number): void => {
    sleptMs += ms;
  };
  return { clock, advance, sleep };
}

function source(expiresInMs: number) {
  const asked: (string | undefined)[] = [];
  const failures: unknown[] = [];
  const grants: GrantSource = {
    async beginWrite({ bucket, renew }) {
      asked.push(renew);
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      return { ticket: `${bucket}-${asked.length}`, grant: `grant-${asked.length}`, expiresInMs };
    },
  };
  return { grants, asked, failures };
}

describe("a ticket cache", () => {
  test("asks once for a bucket, also when many ask at once, and again for another bucket", async () => {
    const { grants, asked } = source(900);
    const cache = createTicketCache(grants, manual().clock);
    const tickets = await Promise.all([cache.get("a"), cache.get("a"), cache.get("a")]);
    expect(new Set(tickets.map((each) => each.ticket))).toEqual(new Set(["a-1"]));
    expect((await cache.get("a")).ticket).toBe("a-1");
    expect((await cache.get("b")).ticket).toBe("b-2");
    expect(asked).toEqual([undefined, undefined]);
  });

  test("continues a ticket when a third of its life is left", async () => {
    const { grants, asked } = source(900);
    const { clock, advance } = manual();
    const cache = createTicketCache(grants, clock);
    await cache.get("a");
    advance(599);
    expect((await cache.get("a")).ticket).toBe("a-1");
    advance(1);
    expect((await cache.get("a")).ticket).toBe("a-2");
    expect(asked).toEqual([undefined, "a-1"]);
  });

  test("counts the time that the machine slept, and never counts back", async () => {
    const { grants, asked } = source(900);
    const { clock, sleep } = manual();
    const cache = createTicketCache(grants, clock);
    await cache.get("a");
    sleep(600);
    expect((await cache.get("a")).ticket).toBe("a-2");
    sleep(-10_000);
    expect((await cache.get("a")).ticket).toBe("a-2");
    expect(asked).toEqual([undefined, "a-1"]);
  });

  test.each(["UNAUTHENTICATED", "PERMISSION_DENIED"] as const)("begins again when renewing is %s", async (code) => {
    for (const details of [[{ refused: "ticket" }], [{}, {}]]) {
      const { grants, asked, failures } = source(900);
      const { clock, advance } = manual();
      const cache = createTicketCache(grants, clock);
      const { lineage } = await cache.get("a");
      advance(10_000);
      failures.push(...details.map((each) => new AshlarError(code, "no", { details: each })));
      const begun = await cache.get("a");
      expect(asked).toEqual([undefined, ...details.map(() => "a-1"), undefined]);
      expect(begun.lineage).not.toBe(lineage);
    }
  });

  test("continues a ticket where the caller was refused, and not the ticket", async () => {
    const { grants, asked, failures } = source(900);
    const { clock, advance } = manual();
    const cache = createTicketCache(grants, clock);
    const { lineage } = await cache.get("a");
    advance(10_000);
    failures.push(new AshlarError("UNAUTHENTICATED", "the access token has expired"));
    expect(await cache.get("a")).toMatchObject({ ticket: "a-3", lineage });
    expect(asked).toEqual([undefined, "a-1", "a-1"]);
  });

  test("renews a ticket that was refused, once for all that it was refused to", async () => {
    const { grants, asked } = source(900);
    const cache = createTicketCache(grants, manual().clock);
    const { ticket, lineage } = await cache.get("a");
    const renewed = await Promise.all([1, 2, 3].map(() => cache.renew("a", ticket)));
    expect(renewed).toEqual(renewed.map(() => ({ ...renewed[0], ticket: "a-2", lineage })));
    expect((await cache.renew("a", ticket)).ticket).toBe("a-2");
    expect(asked).toEqual([undefined, "a-1"]);
  });

  test("passes a refusal on, keeps nothing of it, and asks again next time", async () => {
    const { grants, failures } = source(900);
    const cache = createTicketCache(grants, manual().clock);
    failures.push(new AshlarError("BUCKET_NOT_FOUND", "no"));
    await expect(cache.get("a")).rejects.toMatchObject({ code: "BUCKET_NOT_FOUND" });
    expect((await cache.get("a")).ticket).toBe("a-2");
  });
});
