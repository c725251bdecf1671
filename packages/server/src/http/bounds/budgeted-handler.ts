import type { HttpHandler, HttpRequest, HttpResponse } from "../http-handler.ts";
import { wrapBody } from "../piece.ts";
import { type ByteBudget, createLeases } from "./byte-budget.ts";
import { countedBody } from "./counted-body.ts";
import { HTTP_LIMITS } from "./http-limits.ts";
import type { Holder } from "./shares.ts";

/** Options of {@link budgetedHandler}. */
export interface BudgetedHandlerOptions {
  readonly budget: ByteBudget;
  /** The most of a request's body that its handler holds at once, in bytes. */
  readonly heldMaxBytes: (request: HttpRequest) => number;
  readonly holderOf: (request: HttpRequest) => Holder | undefined;
}

/**
 * Takes from the budget what a handler holds of a body, before it holds it, and gives it back when the answer has been taken or the client is gone.
 *
 * The first BYTES_FREE of each body are free, so that small requests never wait.
 */
export function budgetedHandler(handler: HttpHandler, options: BudgetedHandlerOptions): HttpHandler {
  return async (request) => {
    const heldMaxBytes = options.heldMaxBytes(request);
    if (heldMaxBytes <= HTTP_LIMITS.BYTES_FREE.value) return await handler(request);
    const leases = createLeases();
    const release = (): void => {
      request.signal.removeEventListener("abort", release);
      leases.end();
    };
    request.signal.addEventListener("abort", release, { once: true });
    const take: Take = async (bytes, isFirst) => {
      const holder = options.holderOf(request);
      leases.keep(await options.budget.take(bytes, { holder, isFirst, signal: request.signal }));
    };
    try {
      const response = await handler({ ...request, body: leasedBody(request, heldMaxBytes, take) });
      return releasedAtEnd(response, release);
    } catch (error) {
      release();
      throw error;
    }
  };
}

type Take = (bytes: number, isFirst: boolean) => Promise<void>;

/** Until this part of a declared length has come, bytes are taken as they come; then the rest at once: no bodies wait for each other half-way. */
const BEGUN_PART = 1 / 8;

/** How many bytes to hold after `receivedBytes`: four times as many each time if no length is declared. */
function wantedBytes(receivedBytes: number, heldBytes: number, neededBytes: number | undefined): number {
  if (neededBytes === undefined) return Math.max(receivedBytes, heldBytes * 4);
  const doubled = Math.max(receivedBytes, heldBytes * 2);
  return doubled <= neededBytes * BEGUN_PART ? doubled : neededBytes;
}

/** Takes bytes before it passes them on. A declared length alone takes nothing from others. */
function leasedBody({ body, header }: HttpRequest, heldMaxBytes: number, take: Take): AsyncIterable<Uint8Array> {
  const declared = Number(header.get("content-length") ?? Number.NaN);
  const neededBytes = Number.isSafeInteger(declared) ? Math.min(declared, heldMaxBytes) : undefined;
  return {
    [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
      const inner = body[Symbol.asyncIterator]();
      let receivedBytes = 0;
      let heldBytes = HTTP_LIMITS.BYTES_FREE.value;
      const onSlice = async (slice: IteratorResult<Uint8Array>): Promise<IteratorResult<Uint8Array, undefined>> => {
        const wanted = Math.min(wantedBytes(receivedBytes, heldBytes, neededBytes), heldMaxBytes);
        const more = wanted - heldBytes;
        heldBytes = Math.max(heldBytes, wanted);
        if (more > 0) await take(more, neededBytes !== undefined && wanted < neededBytes);
        return slice as IteratorResult<Uint8Array, undefined>;
      };
      return {
        next: () =>
          inner.next().then((slice) => {
            if (slice.done === true) return { done: true, value: undefined };
            receivedBytes += slice.value.byteLength;
            const fits = receivedBytes <= heldBytes || heldBytes >= heldMaxBytes;
            return fits ? slice : onSlice(slice);
          }),
        async return() {
          await inner.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function releasedAtEnd(response: HttpResponse, release: () => void): HttpResponse {
  const { body } = response;
  if (body === undefined || body instanceof Uint8Array) {
    release();
    return response;
  }
  return { ...response, body: wrapBody(body, (slices) => countedBody(slices, { bytes: () => {}, ended: release })) };
}
