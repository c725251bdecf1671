import { expect, test } from "vitest";
import { fromSqliteError } from "./sqlite-error.ts";

const failure = (errcode: number): Error => Object.assign(new Error("disk I/O error"), { errcode });

const IOERR_WRITE = 10 | (3 << 8);
const IOERR_SHMSIZE = 10 | (19 << 8);

for (const errcode of [IOERR_WRITE, IOERR_SHMSIZE, 14]) {
  test(`code ${errcode} is DISK_FULL where no room is left, METADATA_UNAVAILABLE elsewhere`, () => {
    expect(fromSqliteError(failure(errcode), () => 0)).toMatchObject({ code: "DISK_FULL" });
    expect(fromSqliteError(failure(errcode), () => 10 ** 9)).toMatchObject({ code: "METADATA_UNAVAILABLE" });
    expect(fromSqliteError(failure(errcode))).toMatchObject({ code: "METADATA_UNAVAILABLE" });
  });
}

test("a busy file is not taken for a full disk", () => {
  expect(fromSqliteError(failure(5), () => 0)).toMatchObject({ code: "METADATA_UNAVAILABLE" });
});
