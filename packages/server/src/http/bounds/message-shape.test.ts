import { LIMITS } from "@ashlar/sdk/limits";
import { ChunkService, ClusterService, CredentialService, ObjectService } from "@ashlar/sdk/rpc";
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Health } from "../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.js";
import { HTTP_LIMITS } from "./http-limits.ts";
import { messageShape } from "./message-shape.ts";

/** Every field of every message that a request can have in it. */
function requestFields(): readonly DescField[] {
  const seen = new Set<DescMessage>();
  const visit = (desc: DescMessage): void => {
    if (seen.has(desc)) return;
    seen.add(desc);
    for (const { message } of desc.fields) if (message !== undefined) visit(message);
  };
  for (const service of [ObjectService, ChunkService, ClusterService, CredentialService, Health, ServerReflection]) {
    for (const { input } of service.methods) visit(input);
  }
  return [...seen].flatMap((desc) => desc.fields);
}

const shapeOf = (field: DescField) => messageShape(field.parent as DescMessage).byNumber.get(field.number);
const isMany = ({ fieldKind }: DescField): boolean => fieldKind === "list" || fieldKind === "map";

describe("the messages of requests", () => {
  const fields = requestFields();

  it("have a bound for each list and map, as the limits say", () => {
    const bounds = fields
      .filter(isMany)
      .map((field) => [`${field.parent?.name}.${field.name}`, shapeOf(field)?.itemsMax]);
    expect(Object.fromEntries(bounds)).toEqual({
      "HeartbeatRequest.damaged_chunk_ids": LIMITS.DAMAGED_TOLD_MAX,
      "ObjectAttributes.metadata": LIMITS.METADATA_ENTRIES_MAX,
      "DeleteObjectsRequest.keys": LIMITS.DELETE_MANY_MAX,
      "CompleteUploadRequest.parts": HTTP_LIMITS.COMPLETE_PARTS_MAX.value,
      "ChunkedContent.chunks": LIMITS.COMMIT_CHUNKS_MAX,
      "CommittedChunk.receipts": LIMITS.REPLICATION_FACTOR_MAX,
      "HasChunksRequest.chunk_ids": LIMITS.LIST_LIMIT_MAX,
      "HasChunksRequest.proofs": LIMITS.LIST_LIMIT_MAX,
      "DeleteChunkRequest.chunk_ids": LIMITS.LIST_LIMIT_MAX,
      "ChangeLayoutRequest.weights": LIMITS.NODES_MAX,
      "ChangeLayoutRequest.remove_node_ids": LIMITS.NODES_MAX,
      "ChangeLayoutRequest.forget_node_ids": LIMITS.NODES_MAX,
    });
  });

  it("have nothing that would have to be counted or measured in another way: packed lists, numbers that name entries, types with a JSON of their own", () => {
    for (const field of fields) {
      const name = `${field.parent?.name}.${field.name}`;
      if (field.fieldKind === "list") expect([name, shapeOf(field)?.isNumber]).toEqual([name, false]);
      if (field.fieldKind === "map") expect([name, field.mapKey]).toEqual([name, ScalarType.STRING]);
      expect(field.message?.typeName ?? "").not.toMatch(/^google\.protobuf\./);
    }
  });

  it("say which fields are numbers", () => {
    const commit = messageShape(ObjectService.method.commitWrite.input);
    const isNumber = (name: string): boolean | undefined => commit.byName.get(name)?.isNumber;
    expect([isNumber("sizeBytes"), isNumber("size_bytes"), isNumber("durability"), isNumber("key")]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(messageShape(ClusterService.method.changeLayout.input).byName.get("weights")?.isNumber).toBe(true);
  });
});
