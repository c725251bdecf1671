import { randomBytes } from "node:crypto";
import pg from "pg";

/**
 * An empty database on the server in DATABASE_URL, which vitest's global set-up provides.
 *
 * @param prefix of its name, which tells on the server which test made it.
 * @returns its URL.
 */
export async function freshDatabase(prefix: string): Promise<string> {
  const url = new URL(process.env.DATABASE_URL ?? "");
  const name = `${prefix}_${randomBytes(6).toString("hex")}`;
  const admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  url.pathname = `/${name}`;
  return url.href;
}
