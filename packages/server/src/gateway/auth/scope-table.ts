import { AshlarError } from "@ashlar/sdk/errors";
import type { ClusterService, CredentialService, ObjectService } from "@ashlar/sdk/rpc";
import type { MessageShape } from "@bufbuild/protobuf";
import type { Operation } from "./access-table.ts";

/** What an operation touches, to be compared with the scope of an access token or an API key. */
export type Touched =
  /** The bucket as such: that it exists. */
  | { readonly kind: "bucket"; readonly bucket: string }
  | { readonly kind: "object"; readonly bucket: string; readonly key: string }
  /** Every key of the bucket that begins so. */
  | { readonly kind: "prefix"; readonly bucket: string; readonly prefix: string }
  /** The object that a multipart upload is for. */
  | { readonly kind: "upload"; readonly uploadId: string }
  /** The object of a handle that Locate gave. */
  | { readonly kind: "manifest"; readonly handle: string };

/**
 * `never`: nobody with a scope does it. `key`: API keys do, also with a scope, to which whoever runs it holds them; no access token does.
 * `nothing`: it tells of no bucket. Else what a request touches; all of it must lie in the scope.
 */
export type ScopeRule<Request> = "never" | "key" | "nothing" | ((request: Request) => readonly Touched[]);

type Methods = typeof ObjectService.method & typeof ClusterService.method & typeof CredentialService.method;

const object = ({ bucket, key }: { readonly bucket: string; readonly key: string }): readonly Touched[] => [
  { kind: "object", bucket, key },
];

const upload = ({ uploadId }: { readonly uploadId: string }): readonly Touched[] => [{ kind: "upload", uploadId }];

const within = ({ bucket, prefix }: { readonly bucket: string; readonly prefix: string }): readonly Touched[] => [
  { kind: "prefix", bucket, prefix },
];

/** The error of an operation that no access token does, or no API key with a scope. */
export function outOfReach(operation: Operation, holder: "token" | "scoped key"): AshlarError {
  const message =
    holder === "token"
      ? `an access token does not allow ${operation}; it takes an API key`
      : `an API key for one bucket does not allow ${operation}; it takes one without a scope`;
  return new AshlarError("PERMISSION_DENIED", message);
}

/**
 * The one table of what operations touch. An operation that is missing here does not compile, and neither does a rule that reads what its
 * request does not have. RPCs go by the functions; REST routes name what they touch themselves, and go by `never` all the same.
 */
export const SCOPE: { readonly [Name in Operation]: ScopeRule<MessageShape<Methods[Name]["input"]>> } = Object.freeze({
  createBucket: "never",
  headBucket: ({ bucket }) => [{ kind: "bucket", bucket }],
  listBuckets: "never",
  deleteBucket: "never",
  // Whoever reads the stream refuses one that does not begin with its header.
  putObject: ({ payload }) => (payload.case === "header" ? object(payload.value) : []),
  writeObject: ({ header }) => (header === undefined ? [] : object(header)),
  getObject: object,
  headObject: object,
  deleteObject: object,
  deleteObjects: ({ bucket, keys }) => keys.flatMap((key) => object({ bucket, key })),
  listObjects: within,
  copyObject: ({ sourceBucket, sourceKey, bucket, key }) => [
    ...object({ bucket: sourceBucket, key: sourceKey }),
    ...object({ bucket, key }),
  ],
  createUpload: object,
  getUpload: upload,
  writePart: upload,
  completeUpload: upload,
  abortUpload: upload,
  listParts: upload,
  listUploads: within,
  // A ticket without a key is narrowed to the scope by whoever signs it.
  beginWrite: ({ bucket, key }) => (key === "" ? [{ kind: "bucket", bucket }] : object({ bucket, key })),
  commitWrite: object,
  commitPart: upload,
  locate: ({ manifestId, bucket, key }) =>
    manifestId === "" ? object({ bucket, key }) : [{ kind: "manifest", handle: manifestId }],
  createAccessToken: "key",
  getCluster: "nothing",
  registerServer: "never",
  heartbeat: "never",
  stopServer: "never",
  changeLayout: "never",
  createApiKey: "never",
  listApiKeys: "never",
  deleteApiKey: "never",
  revokeAccessToken: "key",
} satisfies { readonly [Name in Operation]: ScopeRule<MessageShape<Methods[Name]["input"]>> });
