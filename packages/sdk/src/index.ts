// For users.
export { byCount } from "./chunking/by-count.ts";
export type { ChunkCutter, Chunker } from "./chunking/chunker.ts";
export { fixed } from "./chunking/fixed.ts";
export type { ObjectBody } from "./client/body-source.ts";

export type { ClientCallOptions, ClientTransferOptions, ClientWriteOptions } from "./client/call-options.ts";
export { createClient } from "./client/create-client.ts";
export type { BucketHandle, ObjectHandle, ObjectSlice } from "./client/handles.ts";
export type {
  BucketRef,
  CompleteUploadInput,
  CopyObjectInput,
  CreateBucketOptions,
  CreateUploadInput,
  DeleteOutcomeForKey,
  GetObjectInput,
  GetObjectResult,
  GetOptions,
  ListEntry,
  ListObjectsInput,
  ListObjectsPageInput,
  ObjectRef,
  PutObjectInput,
  PutOptions,
  WritePartInput,
} from "./client/inputs.ts";
export type { ObjectClient } from "./client/object-client.ts";
export type { ObjectInfo, PutObjectOutcome, UploadInfo } from "./client/results.ts";
// For authors of seats.
export type { OpenedSeat, Seat, SeatInstruments } from "./client/seat.ts";
export { type DirectSeatOptions, direct } from "./client/seats/direct.ts";
export { gateway } from "./client/seats/gateway.ts";
export type { ApiKeySource, RemoteSeatOptions } from "./client/seats/remote-options.ts";
export type { RetryEvent, RetryPolicy } from "./engine/retry.ts";
export { AshlarError, type ErrorCode, type ErrorDetails } from "./errors/index.ts";
export { GIB, KIB, LIMITS, MIB, TIB } from "./limits.ts";
export type {
  AccessRole,
  AccessToken,
  AccessTokenRequest,
  BucketInfo,
  ByteRange,
  ClusterSnapshot,
  Durability,
  ObjectAttributes,
  ObjectListEntry,
  ObjectListPage,
  PartInfo,
  RemainingWork,
  TransferProgress,
  WriteCondition,
} from "./ports/index.ts";
