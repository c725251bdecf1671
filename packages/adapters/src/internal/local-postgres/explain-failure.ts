import { AshlarError, type ErrorCode } from "@ashlar/sdk/errors";

/** Applies if the text matches all of its patterns. Several patterns take linear time; one pattern with a gap in the middle takes quadratic time. */
type Advice = readonly [said: readonly RegExp[], code: ErrorCode, advice: string];

/** What a new PostgreSQL says while an earlier one still runs on the data. */
const HELD: readonly (readonly RegExp[])[] = [
  [/shared memory block/i, / is still in use/i],
  [/lock file/i, / already exists/i],
];

const LIBRARY =
  "this system lacks a library that PostgreSQL needs: install it, or set DATABASE_URL to a PostgreSQL that runs";

/** What PostgreSQL, its loader or the system says (in English, see postgres-environment.ts), and what to do then. The first match counts. */
const ADVICE: readonly Advice[] = [
  [
    [/Address already in use|could not bind/i],
    "INVALID_ARGUMENT",
    "another program took its port meanwhile: start again, or choose another port",
  ],
  [
    [/No space left on device|could not (?:create|resize|map) /i, /shared memory/i],
    "DISK_FULL",
    "there is too little shared memory: give a container more (docker run --shm-size=256m), or free some of /dev/shm",
  ],
  [
    [/No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/i],
    "DISK_FULL",
    "the disk of its data is full: make room, or take another folder",
  ],
  ...HELD.map((said): Advice => {
    return [
      said,
      "METADATA_UNAVAILABLE",
      "an earlier PostgreSQL still runs on this data: wait for its end, or stop it",
    ];
  }),
  [
    [/could not look up effective user ID|user does not exist/i],
    "UNSUPPORTED",
    "PostgreSQL needs a user with a name: add this user id to /etc/passwd, or run this as a user that is there",
  ],
  [[/error while loading shared libraries|Library not loaded/i], "UNSUPPORTED", LIBRARY],
  [[/version [`']/i, /' not found/i], "UNSUPPORTED", LIBRARY],
  [
    [/ENOENT/],
    "UNSUPPORTED",
    "its programs cannot be started: they are made for systems with glibc, and were perhaps installed in part; set DATABASE_URL to a PostgreSQL that runs",
  ],
  [
    [/Read-only file system|EROFS/i],
    "INVALID_ARGUMENT",
    "its folder cannot be written: take another one (for temporary data, TMPDIR)",
  ],
  [[/locale/i], "UNSUPPORTED", "this system does not know the locale of the data: install it, or begin with new data"],
  [
    [/database files are incompatible|not compatible with this version/i],
    "STORE_INCOMPATIBLE",
    "the data was made by another version of PostgreSQL: start that one, or move the data over with pg_dump",
  ],
  [
    [/EPERM|Operation not permitted/i],
    "UNSUPPORTED",
    'root may not become the user "postgres" here: run this as another user, or set DATABASE_URL to a PostgreSQL that runs',
  ],
  [
    [/EACCES|Permission denied/i],
    "INVALID_ARGUMENT",
    "the user that PostgreSQL runs as may not use a folder or a file of it: take another folder, or let it through",
  ],
  [
    [/ENOMEM|EAGAIN|Cannot allocate memory|could not fork/i],
    "OVERLOADED",
    "this machine has no memory or no processes left for it: end something, or raise the limit",
  ],
];

const LINES_SHOWN = 5;

const fits = (said: string, patterns: readonly RegExp[]): boolean => patterns.every((pattern) => pattern.test(said));

function entryFor(said: string): Advice | undefined {
  return ADVICE.find(([patterns]) => fits(said, patterns));
}

/** Whether an earlier PostgreSQL still runs on the data: that ends by itself after a kill. */
export function isStillHeld(said: string): boolean {
  return HELD.some((patterns) => fits(said, patterns));
}

/** What to do about a PostgreSQL that said this and ended; `undefined` if that is not known. */
export function adviceFor(said: string): string | undefined {
  return entryFor(said)?.[2];
}

/**
 * The error for a PostgreSQL that did not come up, with its last lines and what to do.
 *
 * @param what what failed, as the beginning of a sentence.
 */
export function startError(what: string, said: string, cause?: unknown): AshlarError {
  const found = entryFor(said);
  const lines = said.trim().split("\n").slice(-LINES_SHOWN).join("\n");
  const advice = found?.[2] ?? "see what it says, or set DATABASE_URL to a PostgreSQL that runs";
  return new AshlarError(found?.[1] ?? "METADATA_UNAVAILABLE", `${what}: ${advice}\n${lines}`, { cause });
}
