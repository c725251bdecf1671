import { HTTP_LIMITS } from "../http/http-limits.ts";

const encoder = new TextEncoder();

/**
 * A page of a listing whose rows may be large, cut by bytes as well as by rows: a page that is too large is asked for again with fewer rows, so that
 * its cursor is the store's own and nothing is left out. A single row is always a page.
 *
 * @param fetch a page of at most so many rows, in the form in which it is sent.
 * @param limit rows that were asked for; absent: as many as a page has.
 */
export async function pageWithin<Page>(
  limit: number | undefined,
  fetch: (limit: number | undefined) => Promise<{ readonly page: Page; readonly rows: readonly unknown[] }>,
): Promise<Page> {
  let wanted = limit;
  for (;;) {
    const { page, rows } = await fetch(wanted);
    const bytes = encoder.encode(JSON.stringify(rows)).byteLength;
    const maxBytes = HTTP_LIMITS.PAGE_MAX_BYTES.value;
    if (bytes <= maxBytes || rows.length <= 1) return page;
    // Rows differ in size, so a little fewer than their average says.
    wanted = Math.max(1, Math.floor((rows.length * maxBytes * 0.9) / bytes));
  }
}
