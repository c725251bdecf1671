import { AshlarError } from "../errors/index.ts";
import { type Digest, digestFromBytes, encodeHex } from "../hash/digest.ts";
import { loadPart } from "../internal/load-part.ts";
import * as LIMITS from "../limit-values.ts";
import { CheckedWholeChunks } from "../ports/checked-whole-chunks.ts";
import type { DeleteOutcome, GetChunkOptions, ProvingChunkStore } from "../ports/index.ts";
import { undefinedIf } from "./connection.ts";
import { readBody } from "./http-body.ts";
import { type HttpConnection, readJson } from "./http-connection.ts";
import { base64FromBytes, bytesFromBase64, integerOf, listOf, optionalTextOf, textOf } from "./proto-json.ts";
import { expectOnePerId, remoteCapabilities } from "./remote-capabilities.ts";

const OUTCOME_PREFIX = "DELETE_OUTCOME_";

/** A node's or gateway's `/chunks` paths, and its ChunkService in JSON for the rest, as a chunk store. */
export function createHttpChunkStore(connection: HttpConnection): ProvingChunkStore {
  const ids = (chunkIds: readonly Digest[]): readonly string[] => chunkIds.map(base64FromBytes);
  const store = new CheckedWholeChunks({
    capabilities: remoteCapabilities(connection.endpoint),
    async putChunk(chunkId, bytes, options) {
      const durability = options?.durability;
      const message = await connection.send(options, {
        method: "PUT",
        path: pathOf(chunkId),
        headers: {
          "content-type": "application/octet-stream",
          ...(durability && { "ashlar-durability": durability }),
        },
        body: bytes,
        onUploadProgress: options?.onProgress,
        read: readJson,
      });
      options?.onProgress?.(bytes.byteLength);
      return {
        sizeBytes: integerOf(message, "sizeBytes"),
        alreadyPresent: message.alreadyPresent === true,
        receipt: optionalTextOf(message, "receipt"),
        replicas: integerOf(message, "replicas") || undefined,
      };
    },
    getChunk: (chunkId, options) => undefinedIf("CHUNK_NOT_FOUND", getChunk(connection, chunkId, options)),
    async hasChunks(chunkIds, options) {
      if (chunkIds.length === 0) return [];
      const request = { chunkIds: ids(chunkIds), claim: options.claim };
      const answers = listOf(await connection.rpc("ChunkService/HasChunks", request, options), "chunks");
      expectOnePerId(answers.length, chunkIds.length);
      return answers.map((answer) => (answer.present ? { sizeBytes: integerOf(answer, "sizeBytes") } : undefined));
    },
    async deleteChunks(chunkIds, options) {
      if (chunkIds.length === 0) return [];
      const { unclaimedForMs, database } = options;
      const request = { chunkIds: ids(chunkIds), unclaimedForMs: Math.ceil(unclaimedForMs), database };
      const { outcomes } = await connection.rpc("ChunkService/DeleteChunk", request, options);
      const names: readonly unknown[] = Array.isArray(outcomes) ? outcomes : [];
      expectOnePerId(names.length, chunkIds.length);
      return names.map(outcomeOf);
    },
    async listChunks(options) {
      const request = { cursor: options?.cursor, limit: options?.limit };
      const message = await connection.rpc("ChunkService/ListChunks", request, options);
      return {
        chunks: listOf(message, "chunks").map((chunk) => ({
          chunkId: digestFromBytes(bytesFromBase64(textOf(chunk, "chunkId"))),
          sizeBytes: integerOf(chunk, "sizeBytes"),
          unclaimedForMs: integerOf(chunk, "unclaimedForMs"),
        })),
        nextCursor: optionalTextOf(message, "nextCursor"),
      };
    },
    async stats(options) {
      const message = await connection.rpc("ChunkService/HealthCheck", {}, options);
      const disk = "bytesTotal" in message;
      return {
        chunkCount: integerOf(message, "chunkCount"),
        bytesUsed: integerOf(message, "bytesUsed"),
        bytesFree: disk ? integerOf(message, "bytesFree") : undefined,
        bytesTotal: disk ? integerOf(message, "bytesTotal") : undefined,
      };
    },
    close: () => connection.close(),
  });
  return Object.assign(store, {
    proveChunk: async (...[chunkId, prove, options]: Parameters<ProvingChunkStore["proveChunk"]>) => {
      const { proveChunk } = await loadPart(() => import("./prove-chunk.ts"));
      return await proveChunk(async (proofs) => {
        const request = { chunkIds: ids([chunkId]), claim: true, proofs: proofs.map(base64FromBytes) };
        const [answer = {}] = listOf(await connection.rpc("ChunkService/HasChunks", request, options), "chunks");
        return {
          present: answer.present === true,
          sizeBytes: integerOf(answer, "sizeBytes"),
          nonce: bytesFromBase64(textOf(answer, "nonce")),
          receipt: optionalTextOf(answer, "receipt"),
        };
      }, prove);
    },
  });
}

function pathOf(chunkId: Digest): string {
  return `/chunks/${encodeHex(chunkId)}`;
}

async function getChunk(
  connection: HttpConnection,
  chunkId: Digest,
  options: GetChunkOptions | undefined,
): Promise<Uint8Array> {
  const offset = options?.offset ?? 0;
  const length = options?.length;
  const ranged = offset > 0 || length !== undefined;
  return await connection.send(options, {
    method: "GET",
    path: pathOf(chunkId),
    headers: ranged ? { range: `bytes=${offset}-${length === undefined ? "" : offset + length - 1}` } : {},
    async read(response) {
      const bytes = await readBody(response, {
        maxBytes: LIMITS.CHUNK_MAX_BYTES,
        onProgress: options?.onProgress,
      });
      const isPart = ranged && response.status === 206;
      const sizeBytes = isPart ? Number(response.header("content-range")?.split("/")[1]) : bytes.byteLength;
      // A proxy may remove the header.
      if (sizeBytes >= bytes.byteLength) options?.onSize?.(sizeBytes);
      // A proxy may also ignore a range and send the whole chunk.
      if (!ranged || isPart) return bytes;
      return bytes.slice(offset, length === undefined ? undefined : offset + length);
    },
  });
}

/** @throws {AshlarError} INTERNAL for an outcome that this version does not know: the chunk may or may not be deleted. */
function outcomeOf(name: unknown): DeleteOutcome {
  const outcome = String(name).slice(OUTCOME_PREFIX.length).toLowerCase();
  if (outcome === "deleted" || outcome === "absent" || outcome === "claimed") return outcome;
  throw new AshlarError("INTERNAL", "a delete outcome is unknown");
}
