/** 2^10 bytes. */
export const KIB = 1024;
/** 2^20 bytes. */
export const MIB = 1024 * KIB;
/** 2^30 bytes. */
export const GIB = 1024 * MIB;
/** 2^40 bytes. */
export const TIB = 1024 * GIB;
