/**
 * When a write is acknowledged.
 *
 * - `strict` (default): file, folder and SQL are fsynced before the answer; survives power loss.
 * - `batched`: chunks are synced before the answer, SQLite within 100 ms after it; a power loss can lose that window, a process crash loses nothing.
 *   PostgreSQL syncs before the answer, as with `strict`.
 * - `os`: the operating system writes when it likes; a power loss can lose recent writes, a process crash loses nothing.
 */
export type Durability = "strict" | "batched" | "os";

/** All modes, strongest first. */
export const DURABILITIES: readonly Durability[] = Object.freeze(["strict", "batched", "os"]);
