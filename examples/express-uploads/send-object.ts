import { pipeline } from "node:stream/promises";
import type { ByteRange, ObjectHandle } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Request, Response } from "express";

/** Answers GET and HEAD with an object: 200, 206 for a range, 304 for what the client has already. */
export async function sendObject(object: ObjectHandle, request: Request, response: Response): Promise<void> {
  const info = await object.head();
  const etag = `"${info.etag}"`;
  const headers = {
    "accept-ranges": "bytes",
    "content-type": info.contentType ?? "application/octet-stream",
    "last-modified": new Date(info.createdAtMs).toUTCString(),
    "cache-control": "private, no-cache",
    etag,
    // Files of other users: no script in them may run as a part of this site.
    "content-security-policy": "sandbox",
    "x-content-type-options": "nosniff",
  };
  // Not with express's set(), which would add a charset that the file may not have.
  response.setHeaders(new Headers(headers));
  if (request.fresh) return void response.status(304).end();
  const range = wantedRange(request, { sizeBytes: info.sizeBytes, etag });
  if (range === "unsatisfiable") {
    response.set("content-range", `bytes */${info.sizeBytes}`);
    throw new AshlarError("INVALID_RANGE", `the file has ${info.sizeBytes} bytes`);
  }
  if (range !== undefined) {
    response
      .status(206)
      .set("content-range", `bytes ${range.offset}-${range.offset + range.length - 1}/${info.sizeBytes}`);
  }
  response.set("content-length", String(range?.length ?? info.sizeBytes));
  if (request.method === "HEAD") return void response.end();
  // The condition makes sure that the bytes fit the headers, even if the object is replaced in between.
  const bytes = await object.get({ range, ifMatch: info.etag });
  await pipeline(bytes, response);
}

/** The one range that a request asks for; `undefined` where the whole is to be sent. */
function wantedRange(
  request: Request,
  { sizeBytes, etag }: { readonly sizeBytes: number; readonly etag: string },
): Required<ByteRange & { length: number }> | "unsatisfiable" | undefined {
  const condition = request.get("if-range");
  if (condition !== undefined && condition !== etag) return undefined;
  const ranges = request.range(sizeBytes);
  if (ranges === -1) return "unsatisfiable";
  if (ranges === undefined || ranges === -2 || ranges.type !== "bytes" || ranges.length !== 1) return undefined;
  const [{ start, end } = { start: 0, end: sizeBytes - 1 }] = ranges;
  return { offset: start, length: end - start + 1 };
}
