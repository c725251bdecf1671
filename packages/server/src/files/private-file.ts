import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { AshlarError } from "@ashlar/sdk/errors";
import { fileError } from "./file-error.ts";

const OWNER_ONLY = 0o600;

/**
 * Replaces a file that only its owner may read. This is one step: a reader sees the old or the new text, and never half of one.
 *
 * Synchronous on purpose: nothing can happen between the start of a process and the record of it.
 */
export function writePrivateFile(file: string, text: string): void {
  const fresh = `${file}.${process.pid}.new`;
  try {
    writeFileSync(fresh, text, { mode: OWNER_ONLY, flush: true });
    renameSync(fresh, file);
    syncFolder(dirname(file));
  } catch (error) {
    throw fileError(error, file);
  }
}

/** Without this a power loss may bring the old file back, or leave none. Not every system can do it. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && (error.code === "EPERM" || error.code === "EINVAL")))
      throw error;
  } finally {
    closeSync(handle);
  }
}

/** @returns the parsed file; `undefined` if it is not there. @throws {AshlarError} STORE_INCOMPATIBLE if it is no JSON object. */
export function readJsonFile(file: string): Readonly<Record<string, unknown>> | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw fileError(error, file);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Reported below.
  }
  throw new AshlarError("STORE_INCOMPATIBLE", `${file} is damaged: it is no JSON object`);
}
