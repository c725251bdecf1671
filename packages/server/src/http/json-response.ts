import { create, type DescMessage, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import type { HttpResponse } from "./http-handler.ts";

const encoder = new TextEncoder();

/** A JSON answer. */
export function jsonResponse(status: number, value: unknown, header?: HeadersInit): HttpResponse {
  const headers = new Headers(header);
  headers.set("content-type", "application/json");
  return { status, header: headers, body: encoder.encode(JSON.stringify(value)) };
}

/** A message in its proto3 JSON form as an answer: what the Connect protocol would send for the same message. */
export function messageResponse<Schema extends DescMessage>(
  schema: Schema,
  message: MessageInitShape<Schema>,
  { status = 200, header }: { readonly status?: number | undefined; readonly header?: HeadersInit | undefined } = {},
): HttpResponse {
  return jsonResponse(status, toJson(schema, create(schema, message)), header);
}
