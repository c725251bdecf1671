import type { SqlSession, SqlValue } from "./sql-session.ts";

/** Cuts `items` into blocks of the sizes that the dialect prepares statements for. */
function blocksOf<T>(session: SqlSession, items: readonly T[]): T[][] {
  const { blockSizes, anyBlockSize } = session.dialect;
  const blocks: T[][] = [];
  let start = 0;
  while (start < items.length) {
    const left = items.length - start;
    const largest = blockSizes[0] as number;
    const size = anyBlockSize ? Math.min(left, largest) : (blockSizes.find((candidate) => candidate <= left) ?? 1);
    blocks.push(items.slice(start, start + size));
    start += size;
  }
  return blocks;
}

function placeholders(count: number, first: number): string {
  return Array.from({ length: count }, (_, index) => `$${first + index}`).join(",");
}

/**
 * Inserts rows in blocks, in the order given (so row locks are taken in that order).
 *
 * @param statement `INSERT INTO t (a, b) VALUES` part and what follows the rows (`ON CONFLICT …`, `RETURNING …`).
 * @returns all rows returned.
 */
export async function insertRows<Row extends object = object>(
  session: SqlSession,
  statement: { readonly into: string; readonly suffix?: string },
  rows: ReadonlyArray<readonly SqlValue[]>,
): Promise<Row[]> {
  const returned: Row[] = [];
  for (const block of blocksOf(session, rows)) {
    const width = block[0]?.length ?? 0;
    const values = block.map((_, index) => `(${placeholders(width, index * width + 1)})`).join(",");
    const sql = `INSERT INTO ${statement.into} VALUES ${values} ${statement.suffix ?? ""}`;
    returned.push(...(await session.query<Row>(sql, block.flat())));
  }
  return returned;
}

/** Runs a statement with `IN (…)` over blocks of values. @param sql builds the statement around the list of placeholders. */
export async function queryIn<Row extends object = object>(
  session: SqlSession,
  values: readonly SqlValue[],
  statement: { readonly params?: readonly SqlValue[]; sql(list: string): string },
): Promise<Row[]> {
  const { params = [] } = statement;
  const rows: Row[] = [];
  for (const block of blocksOf(session, values)) {
    const sql = statement.sql(placeholders(block.length, params.length + 1));
    rows.push(...(await session.query<Row>(sql, [...params, ...block])));
  }
  return rows;
}

/** Runs a statement around `VALUES` over blocks of rows. @param row writes the placeholders of one. */
export async function queryValues(
  session: SqlSession,
  rows: ReadonlyArray<readonly SqlValue[]>,
  statement: { row(placeholders: readonly string[]): string; sql(values: string): string },
): Promise<void> {
  for (const block of blocksOf(session, rows)) {
    let last = 0;
    const values = block.map((row) => statement.row(row.map(() => `$${++last}`))).join(",");
    await session.query(statement.sql(values), block.flat());
  }
}
