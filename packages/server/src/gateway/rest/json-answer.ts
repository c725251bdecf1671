import { create, type DescMessage, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import type { HttpResponse } from "../../http/http-handler.ts";

const encoder = new TextEncoder();

/** A message in its proto3 JSON form as an answer: what the Connect protocol would send for the same message. */
export function jsonAnswer<Schema extends DescMessage>(
  schema: Schema,
  message: MessageInitShape<Schema>,
  options?: { readonly status?: number | undefined; readonly header?: HeadersInit | undefined },
): HttpResponse {
  const header = new Headers(options?.header);
  header.set("content-type", "application/json");
  return {
    status: options?.status ?? 200,
    header,
    body: encoder.encode(toJsonString(schema, create(schema, message))),
  };
}
