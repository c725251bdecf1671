import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import { AshlarError } from "@ashlar/sdk/errors";

const run = promisify(execFile);

/** The user that PostgreSQL runs as where it must not run as the user that started it. */
export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

const NAME = "postgres";
/** The tools of most Linux systems, then those of BusyBox. */
const MAKES: ReadonlyArray<readonly (readonly [command: string, ...args: string[]])[]> = [
  [
    ["groupadd", "--system", "--force", NAME],
    [
      "useradd",
      ...["--system", "--gid", NAME, "--no-create-home", "--home-dir", "/nonexistent"],
      ...["--shell", "/bin/false", NAME],
    ],
  ],
  [
    ["addgroup", "-S", NAME],
    ["adduser", "-S", "-D", "-H", "-h", "/nonexistent", "-s", "/bin/false", "-G", NAME, NAME],
  ],
];

/**
 * The user "postgres", made if there is none; `undefined` unless root asks: every other user runs PostgreSQL as itself.
 *
 * @throws {AshlarError} UNSUPPORTED if the user cannot be made.
 */
export async function postgresUser(): Promise<PostgresUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const found = await findUser();
  if (found !== undefined) return found;
  const said: string[] = [];
  for (const commands of MAKES) {
    try {
      for (const [command, ...args] of commands) await run(command, args);
    } catch (error) {
      said.push(error instanceof Error ? (error.message.trim().split("\n").at(-1) ?? "") : "");
    }
    // Looked for even after a failure: another process may have been faster.
    const made = await findUser();
    if (made !== undefined) return made;
  }
  throw new AshlarError(
    "UNSUPPORTED",
    `PostgreSQL refuses to run as root, and the user "${NAME}" cannot be made (${said.join("; ")}). Make one (useradd --system ${NAME}), run this as another user, or set DATABASE_URL to a PostgreSQL that runs`,
  );
}

async function findUser(): Promise<PostgresUser | undefined> {
  try {
    const [uid, gid] = await Promise.all(
      ["-u", "-g"].map(async (flag) => Number((await run("id", [flag, NAME])).stdout)),
    );
    return uid === undefined || gid === undefined || !(uid > 0) ? undefined : { uid, gid };
  } catch {
    return undefined;
  }
}
