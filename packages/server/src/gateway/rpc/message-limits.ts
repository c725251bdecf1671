import { MIB } from "@ashlar/sdk/limits";

/** Largest body of WriteObject in bytes. */
export const WRITE_OBJECT_MAX_BYTES: number = 16 * MIB;

/** Largest CommitWrite or CommitPart in bytes: about 65,000 chunks with three receipts each, 256 GiB in default chunks. */
export const COMMIT_MESSAGE_MAX_BYTES: number = 64 * MIB;
