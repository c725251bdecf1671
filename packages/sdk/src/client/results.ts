import type * as ports from "../ports/index.ts";
import type { WithAttributes } from "./attributes.ts";

/** One object version, without its bytes. Content type, metadata and the like are at its top level, as calls take them. */
export interface ObjectInfo extends WithAttributes<ports.ObjectInfo> {}

/** What a write did. */
export interface PutObjectOutcome extends WithAttributes<ports.PutObjectOutcome> {}

/** A multipart upload in progress. */
export interface UploadInfo extends WithAttributes<ports.UploadInfo> {}
