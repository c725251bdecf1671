import { describe, expect, it } from "vitest";
import { HTTP_LIMITS } from "../http/bounds/http-limits.ts";
import { pageWithin } from "./page-within.ts";

describe("a page of large rows", () => {
  const rows = Array.from({ length: 1000 }, (_, index) => `${index}`.padEnd(index % 7 === 0 ? 60_000 : 900, "\u0001"));
  const fetchFrom =
    (start: number) =>
    async (limit = 1000): Promise<{ page: { next: number; rows: readonly string[] }; rows: readonly string[] }> => {
      const taken = rows.slice(start, start + limit);
      return { page: { next: start + taken.length, rows: taken }, rows: taken };
    };

  it("is cut by bytes, and its cursor leaves nothing out", async () => {
    const seen: string[] = [];
    for (let start = 0; start < rows.length; ) {
      const page = await pageWithin(undefined, fetchFrom(start));
      expect(JSON.stringify(page.rows).length).toBeLessThanOrEqual(HTTP_LIMITS.PAGE_MAX_BYTES.value);
      seen.push(...page.rows);
      start = page.next;
    }
    expect(seen).toEqual(rows);
  });

  it("has at least one row, however large, and not more than were asked for", async () => {
    const huge = "x".repeat(2 * HTTP_LIMITS.PAGE_MAX_BYTES.value);
    const page = await pageWithin(5, async (limit = 5) => {
      const all = [huge, huge, huge].slice(0, limit);
      return { page: all, rows: all };
    });
    expect(page).toEqual([huge]);
    expect((await pageWithin(3, fetchFrom(1))).rows).toHaveLength(3);
  });
});
