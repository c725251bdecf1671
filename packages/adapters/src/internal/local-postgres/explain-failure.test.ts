import { expect, test } from "vitest";
import { adviceFor, startError } from "./explain-failure.ts";

/** As PostgreSQL 18, its loader and Node say it. */
const SAID: ReadonlyArray<readonly [said: string, code: string, advice: RegExp]> = [
  ['LOG:  could not bind IPv4 address "127.0.0.1": Address already in use', "INVALID_ARGUMENT", /another port/],
  [
    'FATAL:  could not resize shared memory segment "/PostgreSQL.1" to 1048576 bytes: No space left on device',
    "DISK_FULL",
    /--shm-size/,
  ],
  ["FATAL:  could not map anonymous shared memory: Cannot allocate memory", "DISK_FULL", /shared memory/],
  ['FATAL:  could not write to file "base/1/2": No space left on device', "DISK_FULL", /make room/],
  ['FATAL:  lock file "postmaster.pid" already exists', "METADATA_UNAVAILABLE", /still runs/],
  ["FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use", "METADATA_UNAVAILABLE", /still runs/],
  ["initdb: error: could not look up effective user ID 12345: user does not exist", "UNSUPPORTED", /passwd/],
  [
    "postgres: error while loading shared libraries: libicuuc.so.60: cannot open shared object file: No such file or directory",
    "UNSUPPORTED",
    /lacks a library/,
  ],
  ["spawn /x/bin/postgres ENOENT", "UNSUPPORTED", /glibc/],
  ["spawn /x/bin/postgres EACCES", "INVALID_ARGUMENT", /let it through/],
  ["spawn EPERM", "UNSUPPORTED", /another user/],
  ["EROFS: read-only file system, mkdir '/tmp/x'", "INVALID_ARGUMENT", /TMPDIR/],
  ['FATAL:  invalid value for parameter "lc_messages": "xx_XX"\nlocale is not there', "UNSUPPORTED", /locale/],
  ["FATAL:  database files are incompatible with server", "STORE_INCOMPATIBLE", /pg_dump/],
  ["LOG:  could not fork new process for connection: Resource temporarily unavailable", "OVERLOADED", /processes/],
];

test.each(SAID)("%s", (said, code, advice) => {
  expect(adviceFor(said)).toMatch(advice);
  const error = startError("PostgreSQL does not start", said);
  expect(error.code).toBe(code);
  // The message also has what PostgreSQL said.
  expect(error.message).toContain(said.split("\n").at(-1));
});

test("an unknown failure is shown as PostgreSQL said it", () => {
  expect(adviceFor("FATAL: the moon is full")).toBeUndefined();
  const error = startError("PostgreSQL does not start", `${"line\n".repeat(50)}FATAL: the moon is full\n`);
  expect(error.code).toBe("METADATA_UNAVAILABLE");
  expect(error.message).toContain("the moon is full");
  expect(error.message.split("\n").length).toBeLessThan(10);
});
