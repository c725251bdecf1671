export { nodeCryptoHasher } from "../internal/sha256.ts";
