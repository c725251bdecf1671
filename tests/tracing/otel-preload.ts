/** What an operator loads with `node --import`: a provider whose spans become lines of the file in TRACE_FILE. */
import { appendFileSync } from "node:fs";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { writtenSpan } from "./span-file.ts";

const { TRACE_FILE = "", TRACE_SERVICE = "" } = process.env;

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(
  new BasicTracerProvider({
    spanProcessors: [
      new SimpleSpanProcessor({
        export(spans: readonly ReadableSpan[], done: (result: { readonly code: number }) => void) {
          const lines = spans.map((span) => `${JSON.stringify(writtenSpan(span, TRACE_SERVICE))}\n`);
          appendFileSync(TRACE_FILE, lines.join(""));
          done({ code: 0 });
        },
        shutdown: async () => {},
      }),
    ],
  }),
);
