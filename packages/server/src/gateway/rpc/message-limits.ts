import { MIB } from "@ashlar/sdk/limits";

/** Largest body of WriteObject in bytes. */
export const WRITE_OBJECT_MAX_BYTES: number = 16 * MIB;
