export { type BrokenChunkStore, breakChunkStore } from "./broken-chunk-store.ts";
export { BROKEN_CHUNK_STORES } from "./broken-chunk-stores.ts";
export { BROKEN_METADATA_STORES, type BrokenMetadataStore, breakMetadataStore } from "./broken-metadata-stores.ts";
export type {
  ChunkStoreCase,
  ChunkStoreCaseContext,
  ChunkStoreInspection,
  ChunkStoreSubject,
  CreateChunkStoreSubject,
} from "./chunk-store/contract-case.ts";
export {
  CHUNK_STORE_CASES,
  type ChunkStoreContractOptions,
  chunkStoreContract,
  runChunkStoreCase,
} from "./chunk-store-contract.ts";
export type {
  CreateMetadataStoreSubject,
  MetadataStoreCase,
  MetadataStoreCaseContext,
  MetadataStoreSubject,
} from "./metadata-store/contract-case.ts";
export {
  METADATA_STORE_CASES,
  type MetadataStoreContractOptions,
  metadataStoreContract,
  runMetadataStoreCase,
} from "./metadata-store-contract.ts";
export { type TestChunk, testBytes, testChunk, testChunks } from "./test-bytes.ts";
