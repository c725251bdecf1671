import type { SqlDialect } from "./sql-dialect.ts";
import type { SqlSession, SqlStatement, SqlValue } from "./sql-session.ts";

/** Cuts `items` into blocks of the sizes that the dialect prepares statements for. */
function blocksOf<T>({ blockSizes, anyBlockSize }: SqlDialect, items: readonly T[]): T[][] {
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

/** An insertion of rows. */
export interface RowInsertion {
  /** Table and columns: what stands before VALUES. */
  readonly into: string;
  /** What follows the rows: `ON CONFLICT …`, `RETURNING …`. */
  readonly suffix?: string;
  /** If each row must be returned: the error for a row that is not. */
  readonly otherwise?: () => Error;
}

/** Inserts rows in blocks, in the order given (so row locks are taken in that order). */
export function insertStatements(
  dialect: SqlDialect,
  { into, suffix = "", otherwise }: RowInsertion,
  rows: ReadonlyArray<readonly SqlValue[]>,
): SqlStatement[] {
  return blocksOf(dialect, rows).map((block) => {
    const width = block[0]?.length ?? 0;
    const values = block.map((_, index) => `(${placeholders(width, index * width + 1)})`).join(",");
    const statement = { sql: `INSERT INTO ${into} VALUES ${values} ${suffix}`, params: block.flat() };
    return otherwise === undefined ? statement : { ...statement, mustReturn: { rowCount: block.length, otherwise } };
  });
}

/** A statement with `IN (…)`. */
export interface InStatement {
  readonly params?: readonly SqlValue[];
  /** @param list placeholders of the values; they come after `params`. */
  sql(list: string): string;
}

/** The statement over blocks of values. */
export function inStatements(dialect: SqlDialect, values: readonly SqlValue[], statement: InStatement): SqlStatement[] {
  const { params = [] } = statement;
  return blocksOf(dialect, values).map((block) => ({
    sql: statement.sql(placeholders(block.length, params.length + 1)),
    params: [...params, ...block],
  }));
}

/** Statements around `VALUES` over blocks of rows. @param row writes the placeholders of one row. */
export function valuesStatements(
  dialect: SqlDialect,
  rows: ReadonlyArray<readonly SqlValue[]>,
  statement: { row(placeholders: readonly string[]): string; sql(values: string): string },
): SqlStatement[] {
  return blocksOf(dialect, rows).map((block) => {
    let last = 0;
    const values = block.map((row) => statement.row(row.map(() => `$${++last}`))).join(",");
    return { sql: statement.sql(values), params: block.flat() };
  });
}

/** Runs {@link inStatements} now. @returns the rows of all. */
export function queryIn<Row extends object = object>(
  session: SqlSession,
  values: readonly SqlValue[],
  statement: InStatement,
): Promise<Row[]> {
  return queryEach<Row>(session, inStatements(session.dialect, values, statement));
}

/** Runs {@link insertStatements} now. @returns what the statements return. */
export async function insertRows(
  session: SqlSession,
  insertion: Omit<RowInsertion, "otherwise">,
  rows: ReadonlyArray<readonly SqlValue[]>,
): Promise<object[]> {
  return await queryEach(session, insertStatements(session.dialect, insertion, rows));
}

async function queryEach<Row extends object>(session: SqlSession, statements: readonly SqlStatement[]): Promise<Row[]> {
  const blocks = await Promise.all(statements.map(({ sql, params }) => session.query<Row>(sql, params)));
  return blocks.flat();
}
