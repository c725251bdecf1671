import { HTTP_LIMITS } from "../http/bounds/http-limits.ts";

const encoder = new TextEncoder();

/**
 * Cuts a page of a listing by bytes as well as by rows, because its rows may be large. A page that is too large is asked for again with fewer rows,
 * so that its cursor is the store's own and nothing is left out. A single row is always a page.
 *
 * @param fetch gets a page of at most so many rows; `rows` are measured as JSON.
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
    // Rows differ in size, so ask for a little fewer than fit on average.
    wanted = Math.max(1, Math.floor((rows.length * maxBytes * 0.9) / bytes));
  }
}
