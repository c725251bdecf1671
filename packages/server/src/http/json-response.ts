import type { HttpResponse } from "./http-handler.ts";

/** A JSON answer. */
export function jsonResponse(status: number, value: unknown, header?: HeadersInit): HttpResponse {
  const headers = new Headers(header);
  headers.set("content-type", "application/json");
  return { status, header: headers, body: new TextEncoder().encode(JSON.stringify(value)) };
}
