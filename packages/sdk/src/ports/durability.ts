/**
 * When a write is acknowledged.
 *
 * - `strict` (default): file, folder and SQL are fsynced before the answer; survives power loss.
 * - `batched`: chunks are synced before the answer, SQLite within 100 ms after it; a power loss can lose that window, a process crash loses nothing.
 * - `os`: the operating system writes when it likes; a power loss can lose recent writes, a process crash loses nothing.
 *
 * PostgreSQL syncs before the answer in every mode: a commit that does not wait for its log can be lost when the server crashes.
 */
export type Durability = "strict" | "batched" | "os";

/** All modes, strongest first. */
export const DURABILITIES: readonly Durability[] = Object.freeze(["strict", "batched", "os"]);
