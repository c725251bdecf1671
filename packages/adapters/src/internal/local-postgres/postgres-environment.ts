import process from "node:process";

/** The part of our environment that programs need to run. PGDATA and the like would change what they do; another user must not see our secrets. */
const PASSED_ON = [
  "PATH",
  "LD_LIBRARY_PATH",
  "DYLD_LIBRARY_PATH",
  "TZ",
  "SystemRoot",
  "SystemDrive",
  "TEMP",
  "TMP",
] as const;

/** Folder and environment in which PostgreSQL's programs are started. */
export interface PostgresEnvironment {
  /** A folder that everybody may enter, unlike ours. */
  readonly cwd?: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The messages of PostgreSQL are parsed, so they must be English; "C" is there on every system. */
export function postgresEnvironment(): PostgresEnvironment {
  const env = Object.fromEntries(
    PASSED_ON.map((name) => [name, process.env[name]]).filter(([, value]) => value !== undefined),
  );
  return { ...(process.platform === "win32" ? {} : { cwd: "/" }), env: { ...env, LC_ALL: "C" } };
}
