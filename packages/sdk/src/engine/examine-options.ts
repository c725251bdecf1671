import type {
  BucketCatalog,
  CallOptions,
  ChunkStore,
  MetadataExamination,
  ObjectCatalog,
  UploadCatalog,
} from "../ports/index.ts";

/** Damage that was found, and whose it is where that is known. */
export interface StoreProblem {
  readonly what: string;
  /** The metadata is what was written, and chunks that it names are not there. */
  readonly lacksChunks?: boolean;
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
}

/** What {@link examineStore} takes. */
export interface ExamineOptions extends CallOptions {
  readonly metadata: MetadataExamination &
    Pick<BucketCatalog, "listBuckets"> &
    Pick<ObjectCatalog, "getManifestPage" | "getObject"> &
    Pick<UploadCatalog, "listUploads" | "listParts">;
  /** Looks whether every chunk that an object names is there. Default: chunks are not looked for. */
  readonly chunks?: Pick<ChunkStore, "hasChunks"> | undefined;
  /** Told of each problem when it is found; the next one waits. */
  readonly onProblem: (problem: StoreProblem) => Promise<void> | void;
  /** Told now and then how far it is. */
  readonly onProgress?: ((progress: { readonly stage: string; readonly count: number }) => void) | undefined;
}
