/** The only door to the generated code: service descriptors and messages, named one by one. */
export {
  type ChunkPresence as ChunkPresenceMessage,
  ChunkService,
  DeleteOutcome as DeleteOutcomeEnum,
  Durability as DurabilityEnum,
  GetChunkRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_Status,
  PutChunkRequestSchema,
} from "../gen/ashlar/v1/chunk_service_pb.js";
export { ClusterService, ServerState as ServerStateEnum } from "../gen/ashlar/v1/cluster_service_pb.js";
export { ErrorInfoSchema, ErrorReason } from "../gen/ashlar/v1/error_pb.js";
export { ObjectService } from "../gen/ashlar/v1/object_service_pb.js";
