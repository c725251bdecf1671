import type { Tracer } from "@ashlar/sdk/ports";
import type { FsStep } from "./fs-parts.ts";

/** Steps as spans called `file.<step>`; without a tracer the work runs as it is. */
export function fsSteps(tracer: Tracer | undefined): FsStep {
  if (tracer === undefined) return (_name, work) => work();
  return async (name, work) => {
    const span = tracer.start(`file.${name}`);
    try {
      const result = await tracer.within(span, work);
      span.end();
      return result;
    } catch (error) {
      span.end(error);
      throw error;
    }
  };
}
