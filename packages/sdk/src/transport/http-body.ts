import { AshlarError } from "../errors/index.ts";
import type { BytesProgress } from "../ports/index.ts";
import { type ChunkAssembly, createChunkAssembly } from "./chunk-assembly.ts";
import type { HttpResponse } from "./http-exchange.ts";

/** Bounds of {@link readBody}. */
export interface ReadBodyOptions {
  readonly maxBytes: number;
  readonly onProgress?: BytesProgress | undefined;
}

/**
 * Reads a whole body: into one buffer of its declared length, or, without a declared length, piece by piece up to the limit.
 *
 * @throws {AshlarError} OBJECT_TOO_LARGE beyond `maxBytes`, NODE_UNAVAILABLE if the length is not the declared one.
 */
export async function readBody(response: HttpResponse, { maxBytes, onProgress }: ReadBodyOptions): Promise<Uint8Array> {
  // A proxy that compresses declares the compressed length; the body here is decompressed.
  const length = response.header("content-encoding") ? null : response.header("content-length");
  if (length) return readInto(createChunkAssembly(checkedLength(Number(length), maxBytes), onProgress), response.body);
  const slices: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const slice of response.body) {
    sizeBytes = checkedLength(sizeBytes + slice.byteLength, maxBytes);
    slices.push(slice);
    onProgress?.(sizeBytes);
  }
  const assembly = createChunkAssembly(sizeBytes);
  slices.forEach(assembly.add);
  return assembly.finish();
}

async function readInto(assembly: ChunkAssembly, body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  for await (const slice of body) assembly.add(slice);
  return assembly.finish();
}

function checkedLength(sizeBytes: number, maxBytes: number): number {
  if (sizeBytes <= maxBytes) return sizeBytes;
  throw new AshlarError("OBJECT_TOO_LARGE", `the answer has more than ${maxBytes} bytes`);
}
