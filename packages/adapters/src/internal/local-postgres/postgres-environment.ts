import process from "node:process";

/** Of our environment, what programs need to run at all. PGDATA and the like would change what they do; secrets are none of another user's business. */
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
  /** One that everybody may enter, unlike ours. */
  readonly cwd?: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Its messages are read, so they are English; "C" is there on every system. */
export function postgresEnvironment(): PostgresEnvironment {
  const env = Object.fromEntries(
    PASSED_ON.map((name) => [name, process.env[name]]).filter(([, value]) => value !== undefined),
  );
  return { ...(process.platform === "win32" ? {} : { cwd: "/" }), env: { ...env, LC_ALL: "C" } };
}
