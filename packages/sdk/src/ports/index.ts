export type { Digest, Hasher, IncrementalHash } from "../hash/index.ts";
export { checkedUrl, shownUrl } from "../internal/checked-url.ts";
export type { Layout, LayoutNode } from "../ring/layout.ts";
export type { AccessRole, AccessToken, AccessTokenRequest, AccessTokenSource } from "./access-token.ts";
export { changedLayout, type LayoutDefaults, nextLayout, nodeNotFound } from "./changed-layout.ts";
export { checkedChunkStore } from "./checked-chunk-store.ts";
export { checkedMetadataStore } from "./checked-metadata-store.ts";
export type {
  ChunkLocations,
  LayoutAdvance,
  LayoutUse,
  OutdatedChunk,
  OutdatedChunkPage,
} from "./chunk-locations.ts";
export {
  type BadEntry,
  type BytesProgress,
  type CallOptions,
  type ChunkHolders,
  type ChunkPage,
  type ChunkPresence,
  type ChunkStore,
  type ChunkStoreCapabilities,
  type ChunkStoreStats,
  type DeleteChunksOptions,
  type DeleteOutcome,
  type GetChunkOptions,
  type HasChunksOptions,
  isProvingChunkStore,
  isStreamingChunkStore,
  type ListChunksOptions,
  type ListedChunk,
  type ProveChunkOptions,
  type ProvingChunkStore,
  type PutChunkOptions,
  type PutChunkResult,
  type StrayEntry,
  type StreamingChunkStore,
} from "./chunk-store.ts";
export type { Clock, Ticker } from "./clock.ts";
export type {
  ApiKeyInfo,
  ApiKeyRecord,
  ApiKeyRequest,
  ApiKeyRole,
  CreatedApiKey,
  CredentialCatalog,
  CredentialScope,
  TokenRevocation,
} from "./credentials.ts";
export type { DatabaseIdentity } from "./database-identity.ts";
export { type DatabaseMark, meetDatabase, type SeenDatabase } from "./database-mark.ts";
export { DURABILITIES, type Durability } from "./durability.ts";
export type {
  ChunkCopies,
  ChunkRowPage,
  CopiesPage,
  ExaminationQuery,
  ExaminedObject,
  ExaminedObjectPage,
  ManifestOwner,
  ManifestProblemPage,
  ManifestSegment,
  MetadataExamination,
  SegmentPage,
} from "./examination.ts";
export type { GrantSource, WriteTicket } from "./grant-source.ts";
export { guardedLogger } from "./guarded-logger.ts";
export { guardedTracer } from "./guarded-tracer.ts";
export type { LogFields, Logger } from "./logger.ts";
export { lostDiskWords } from "./lost-disk-words.ts";
export {
  committedInfo,
  type MetadataInput,
  type MetadataOperation,
  type MetadataOutput,
  metadataMethods,
  type OperationKind,
  type OperationLocks,
  type OperationRules,
  type RunOperation,
  rulesOf,
  runOn,
} from "./metadata-operations.ts";
export type {
  BucketCatalog,
  Catalog,
  CollectingChunk,
  CollectionQueue,
  CopyObject,
  GetObjectQuery,
  JobLeases,
  JobState,
  LostCopiesStep,
  MetadataStore,
  MetadataStoreCapabilities,
  MissedCopy,
  NodeRepairs,
  ObjectCatalog,
  RepairClaim,
  RepairEntry,
  RepairOutcome,
  RepairQueue,
  UploadCatalog,
} from "./metadata-store.ts";
export { assertBucketName, assertObjectKey, normalizeAttributes } from "./names.ts";
export type {
  AwayNodes,
  ClusterSnapshot,
  Heartbeat,
  HeartbeatAnswer,
  LayoutChange,
  LayoutHistory,
  LostDisk,
  LostDiskKind,
  NodeRecord,
  NodeRegistration,
  NodeRegistry,
  NodeState,
  NodeStats,
  RegisteredNode,
  RemainingWork,
} from "./nodes.ts";
export type {
  ByteRange,
  GetObjectRequest,
  GiveBack,
  ObjectEngine,
  OpenedObject,
  PutObjectOutcome,
  PutObjectRequest,
  ReadBudget,
  ReadTransferOptions,
  TransferOptions,
  TransferProgress,
  WritePartRequest,
  WriteTransferOptions,
} from "./object-engine.ts";
export type {
  BucketInfo,
  ChunkedContent,
  ChunkRef,
  CommitCondition,
  CommitObject,
  CommittedChunk,
  HttpCondition,
  ListObjectsQuery,
  LocatedChunk,
  ManifestPage,
  ObjectAttributes,
  ObjectInfo,
  ObjectListEntry,
  ObjectListPage,
  StoredObject,
  WriteCondition,
} from "./objects.ts";
export {
  type ChunkReader,
  type ChunkSpan,
  isOpeningChunkStore,
  type OpeningChunkStore,
} from "./opening-chunk-store.ts";
export { checkOptions, type OptionKind } from "./options.ts";
export type { Random } from "./random.ts";
export {
  isScrubbingChunkStore,
  type ScrubbedChunk,
  type ScrubbingChunkStore,
  type ScrubChunkOptions,
  type ScrubCounts,
  type ScrubProgress,
  type ScrubRecord,
} from "./scrubbing-chunk-store.ts";
export {
  createStallWatch,
  NOT_SENT,
  type StallWatch,
  type StallWatchOptions,
  type WatchedCall,
} from "./stall-watch.ts";
export { silentLogger, systemClock, systemRandom } from "./system.ts";
export type { Span, SpanAttributes, SpanKind, SpanStart, Tracer } from "./tracer.ts";
export type { Endpoint, GatewayConnection, Transport, TransportCapabilities } from "./transport.ts";
export type {
  CompleteUpload,
  CreateUpload,
  ListPartsQuery,
  ListUploadsQuery,
  PartInfo,
  PartPage,
  PutPart,
  UploadInfo,
  UploadPage,
} from "./uploads.ts";
export { assertWriteCondition } from "./write-condition.ts";
export type { WriteOptions, WriteOutcome } from "./write-options.ts";
