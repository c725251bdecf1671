import {
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { PROTO_FOLDERS } from "./servers-under-test.ts";

/** A message as proto-loader returns it: names as in the `.proto` files, 64-bit integers as text, bytes as Buffer. */
// biome-ignore lint/suspicious/noExplicitAny: made at run time, without types.
export type Message = Record<string, any>;

/** Calls of one service, made from the `.proto` files at run time, with nothing of ours in between. */
export interface DynamicClient {
  unary(method: string, request: Message): Promise<Message>;
  /** Sends all messages, then waits for the one answer. */
  clientStream(method: string, requests: readonly Message[]): Promise<Message>;
  serverStream(method: string, request: Message): Promise<Message[]>;
  close(): void;
}

const FILES = ["ashlar/v1/chunk_service.proto", "ashlar/v1/object_service.proto", "grpc/health/v1/health.proto"];
const definition = loadPackageDefinition(
  loadSync(FILES, {
    includeDirs: [...PROTO_FOLDERS],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  }),
);

/** @param service full name, as `ashlar.v1.ChunkService`. @param token sent as bearer with each call; none where absent. */
export function createDynamicClient(service: string, address: string, token?: string): DynamicClient {
  const Service = service.split(".").reduce<unknown>((scope, name) => (scope as GrpcObject)[name], definition);
  // biome-ignore lint/suspicious/noExplicitAny: made at run time, without types.
  const client = new (Service as any)(address, credentials.createInsecure());
  const metadata = (): Metadata => {
    const headers = new Metadata();
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    return headers;
  };
  const settle =
    (resolve: (message: Message) => void, reject: (error: Error) => void) =>
    (error: ServiceError | null, message: Message): void =>
      error === null ? resolve(message) : reject(error);
  return {
    unary: (method, request) =>
      new Promise((resolve, reject) => client[method](request, metadata(), settle(resolve, reject))),
    clientStream: (method, requests) =>
      new Promise((resolve, reject) => {
        const call = client[method](metadata(), settle(resolve, reject));
        for (const request of requests) call.write(request);
        call.end();
      }),
    serverStream: (method, request) =>
      new Promise((resolve, reject) => {
        const messages: Message[] = [];
        const call = client[method](request, metadata());
        call.on("data", (message: Message) => messages.push(message));
        call.on("error", reject);
        call.on("end", () => resolve(messages));
      }),
    close: () => client.close(),
  };
}

/** Name of the gRPC status with which a call failed. */
export async function statusOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => "OK",
    (error: ServiceError) => status[error.code] ?? String(error.code),
  );
}
