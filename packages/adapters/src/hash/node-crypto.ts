export { type NodeHasher, nodeCryptoHasher } from "../internal/sha256.ts";
