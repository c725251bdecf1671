import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { ChunkService } from "@ashlar/sdk/rpc";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestNode, type TestNode } from "../../chunk-api/testing/start-test-node.ts";
import { Health, HealthCheckRequestSchema, HealthCheckResponseSchema } from "../gen/grpc/health/v1/health_pb.js";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.js";

let node: TestNode;
let grpcJs: Client;

beforeAll(async () => {
  node = await startTestNode(createMemoryChunkStore());
  grpcJs = new Client(new URL(node.url).host, credentials.createInsecure());
});

afterAll(async () => {
  grpcJs.close();
  await node.close();
});

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 };

describe("grpc.health.v1", () => {
  const check = (service: string): Promise<number> =>
    new Promise((resolve, reject) => {
      grpcJs.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        (name: string) =>
          Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service: name }))),
        (bytes) => fromBinary(HealthCheckResponseSchema, bytes),
        service,
        (error, answer) => (error ? reject(error) : resolve(answer?.status ?? -1)),
      );
    });

  it("answers @grpc/grpc-js for the server and each service, NOT_FOUND for others", async () => {
    expect(await check("")).toBe(SERVING);
    expect(await check("ashlar.v1.ChunkService")).toBe(SERVING);
    const error = await check("nobody").catch((reason: ServiceError) => reason);
    expect((error as ServiceError).code).toBe(5);
  });

  it("lists all services", async () => {
    const client = createClient(Health, createGrpcTransport({ baseUrl: node.url }));
    const { statuses } = await client.list({});
    expect(Object.keys(statuses).sort()).toEqual(["", "ashlar.v1.ChunkService"]);
  });

  it("tells a watcher when the server stops, and that a service is unknown", async () => {
    const watched = await startTestNode(createMemoryChunkStore());
    const client = createClient(Health, createGrpcTransport({ baseUrl: watched.url }));
    const statuses: number[] = [];
    const watching = (async () => {
      for await (const { status } of client.watch({ service: "" })) statuses.push(status);
    })().catch(() => {});
    await expect.poll(() => statuses).toEqual([SERVING]);
    const unknown = client.watch({ service: "nobody" })[Symbol.asyncIterator]();
    expect((await unknown.next()).value?.status).toBe(SERVICE_UNKNOWN);
    const startedMs = performance.now();
    await watched.node.close();
    await watching;
    expect(statuses).toEqual([SERVING, NOT_SERVING]);
    // Watchers do not delay the shutdown, which lets running requests go on for up to ten seconds.
    expect(performance.now() - startedMs).toBeLessThan(9000);
    await watched.close();
  });
});

describe("server reflection", () => {
  type Question = ServerReflectionRequest["messageRequest"];

  /** Asks over one bidirectional stream of @grpc/grpc-js, which knows nothing of our code. */
  function reflect(...questions: Question[]): Promise<ServerReflectionResponse["messageResponse"][]> {
    return new Promise((resolve, reject) => {
      const call = grpcJs.makeBidiStreamRequest(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        (messageRequest: Question) =>
          Buffer.from(
            toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema, { messageRequest } as never)),
          ),
        (bytes) => fromBinary(ServerReflectionResponseSchema, bytes),
      );
      const answers: ServerReflectionResponse["messageResponse"][] = [];
      call.on("data", (answer: ServerReflectionResponse) => answers.push(answer.messageResponse));
      call.on("error", reject);
      call.on("end", () => resolve(answers));
      for (const question of questions) call.write(question);
      call.end();
    });
  }

  function filesOf(answer: ServerReflectionResponse["messageResponse"] | undefined): FileDescriptorProto[] {
    if (answer?.case !== "fileDescriptorResponse") throw new Error(`unexpected answer ${answer?.case}`);
    return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  }

  it("lists our services and the standard ones", async () => {
    const [answer] = await reflect({ case: "listServices", value: "" });
    if (answer?.case !== "listServicesResponse") throw new Error("unexpected answer");
    expect(answer.value.service.map(({ name }) => name)).toEqual([
      "ashlar.v1.ChunkService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
  });

  it("gives the file of a symbol with all imports, enough to build the service from scratch", async () => {
    const [answer] = await reflect({ case: "fileContainingSymbol", value: "ashlar.v1.ChunkService" });
    const files = filesOf(answer);
    expect(files.map(({ name }) => name)).toEqual([
      "ashlar/v1/chunk_service.proto",
      "buf/validate/validate.proto",
      "google/protobuf/descriptor.proto",
      "google/protobuf/duration.proto",
      "google/protobuf/field_mask.proto",
      "google/protobuf/timestamp.proto",
    ]);
    const [first] = files;
    if (first === undefined) throw new Error("no file");
    const registry = createFileRegistry(first, (name) => files.find((file) => file.name === name));
    const service = registry.getService("ashlar.v1.ChunkService");
    expect(service?.methods.map((method) => method.name)).toEqual(ChunkService.methods.map((method) => method.name));
    const client = createClient(service as typeof ChunkService, createGrpcTransport({ baseUrl: node.url }));
    expect(await client.healthCheck({})).toMatchObject({ nodeId: "node-1" });
  });

  it("finds methods, messages, fields, nested enums and enum values, by file name too", async () => {
    const symbols = [
      "ashlar.v1.ChunkService.PutChunk",
      "ashlar.v1.PutChunkHeader",
      "ashlar.v1.PutChunkHeader.size_bytes",
      "ashlar.v1.HealthCheckResponse.Status",
      "ashlar.v1.HealthCheckResponse.STATUS_SERVING",
      "ashlar.v1.DURABILITY_STRICT",
    ];
    const answers = await reflect(...symbols.map((value) => ({ case: "fileContainingSymbol", value }) as const), {
      case: "fileByFilename",
      value: "ashlar/v1/chunk_service.proto",
    });
    for (const answer of answers) expect(filesOf(answer)[0]?.name).toBe("ashlar/v1/chunk_service.proto");
    expect(answers.length).toBe(symbols.length + 1);
  });

  it("knows extensions", async () => {
    const extendee = "google.protobuf.FieldOptions";
    const [file, numbers, none] = await reflect(
      { case: "fileContainingExtension", value: { containingType: extendee, extensionNumber: 1159 } as never },
      { case: "allExtensionNumbersOfType", value: extendee },
      { case: "allExtensionNumbersOfType", value: "ashlar.v1.PutChunkHeader" },
    );
    expect(filesOf(file)[0]?.name).toBe("buf/validate/validate.proto");
    expect(numbers).toMatchObject({ value: { extensionNumber: expect.arrayContaining([1159]) } });
    expect(none).toMatchObject({ value: { extensionNumber: [] } });
  });

  it("answers what it does not know with an error and goes on", async () => {
    const answers = await reflect(
      { case: "fileContainingSymbol", value: "no.such.Thing" },
      { case: "fileByFilename", value: "no/such.proto" },
      { case: "allExtensionNumbersOfType", value: "no.such.Thing" },
      { case: undefined },
      { case: "listServices", value: "" },
    );
    expect(answers.map((answer) => (answer.case === "errorResponse" ? answer.value.errorCode : answer.case))).toEqual([
      5,
      5,
      5,
      3,
      "listServicesResponse",
    ]);
  });

  it("answers the client of another language (Python's grpcio-reflection)", async (context) => {
    const python = process.env.PYTHON ?? "python3";
    const run = promisify(execFile);
    const installed = await run(python, ["-c", "import grpc, grpc_reflection"]).then(
      () => true,
      () => false,
    );
    if (!installed) {
      process.stdout.write("skipped: Python's grpcio-reflection is not installed\n");
      context.skip();
    }
    const { stdout } = await run(python, ["-c", PYTHON_CLIENT, new URL(node.url).host], { timeout: 20_000 });
    expect(JSON.parse(stdout)).toEqual({
      services: ["ashlar.v1.ChunkService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"],
      methods: ChunkService.methods.map((method) => method.name),
      nodeId: "node-1",
      status: "STATUS_SERVING",
    });
  });
});

/** Learns the whole contract by reflection, and calls the server with what it learned. */
const PYTHON_CLIENT = `
import json, sys, grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

with grpc.insecure_channel(sys.argv[1]) as channel:
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    service = pool.FindServiceByName("ashlar.v1.ChunkService")
    method = service.methods_by_name["HealthCheck"]
    answer = GetMessageClass(method.output_type)
    call = channel.unary_unary(
        "/ashlar.v1.ChunkService/HealthCheck",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    health = call(GetMessageClass(method.input_type)(), timeout=10)
    status = answer.DESCRIPTOR.fields_by_name["status"].enum_type.values_by_number[health.status].name
    print(json.dumps({
        "services": sorted(name for name in database.get_services() if "v1alpha" not in name),
        "methods": [method.name for method in service.methods],
        "nodeId": health.node_id,
        "status": status,
    }))
`;
