import { describe, test } from "vitest";
import { AWAY_NODE_CASES } from "./metadata-store/away-node-cases.ts";
import { BUCKET_CASES } from "./metadata-store/bucket-cases.ts";
import { COLLECTION_CASES } from "./metadata-store/collection-cases.ts";
import { COMMIT_CASES } from "./metadata-store/commit-cases.ts";
import { CONCURRENCY_CASES } from "./metadata-store/concurrency-cases.ts";
import { CONDITION_CASES } from "./metadata-store/condition-cases.ts";
import type { CreateMetadataStoreSubject, MetadataStoreCase } from "./metadata-store/contract-case.ts";
import { CREDENTIAL_CASES } from "./metadata-store/credential-cases.ts";
import { FORGOTTEN_NODE_CASES } from "./metadata-store/forgotten-node-cases.ts";
import { LIFECYCLE_CASES } from "./metadata-store/lifecycle-cases.ts";
import { LIST_CASES } from "./metadata-store/list-cases.ts";
import { LOCATION_CASES } from "./metadata-store/location-cases.ts";
import { LOST_DISK_CASES } from "./metadata-store/lost-disk-cases.ts";
import { MANIFEST_CASES } from "./metadata-store/manifest-cases.ts";
import { NODE_CASES } from "./metadata-store/node-cases.ts";
import { OPERATION_CASES } from "./metadata-store/operation-cases.ts";
import { UPLOAD_CASES } from "./metadata-store/upload-cases.ts";
import { WORK_CASES } from "./metadata-store/work-cases.ts";

/** Everything that a metadata store must do, isolation first. */
export const METADATA_STORE_CASES: readonly MetadataStoreCase[] = Object.freeze([
  ...LIFECYCLE_CASES,
  ...BUCKET_CASES,
  ...COMMIT_CASES,
  ...CONDITION_CASES,
  ...OPERATION_CASES,
  ...MANIFEST_CASES,
  ...LIST_CASES,
  ...UPLOAD_CASES,
  ...COLLECTION_CASES,
  ...NODE_CASES,
  ...LOST_DISK_CASES,
  ...WORK_CASES,
  ...LOCATION_CASES,
  ...AWAY_NODE_CASES,
  ...FORGOTTEN_NODE_CASES,
  ...CREDENTIAL_CASES,
  ...CONCURRENCY_CASES,
]);

/** Options of {@link metadataStoreContract}. */
export interface MetadataStoreContractOptions {
  /** Name of the store and its configuration in the test report. */
  readonly name: string;
  readonly create: CreateMetadataStoreSubject;
}

/**
 * Runs one case on its own subject; rejects if the store breaks the case.
 *
 * @returns false if the case does not apply to this store.
 */
export async function runMetadataStoreCase(
  contractCase: MetadataStoreCase,
  create: CreateMetadataStoreSubject,
): Promise<boolean> {
  const subject = await create();
  try {
    if (contractCase.applies?.(subject.store) === false) return false;
    await contractCase.run({ subject, store: subject.store, create });
    return true;
  } finally {
    await subject.dispose();
  }
}

/** Registers the contract of `MetadataStore` with vitest, one test per case; cases that do not apply are shown as skipped. */
export function metadataStoreContract({ name, create }: MetadataStoreContractOptions): void {
  describe(`${name} keeps the contract of a metadata store`, () => {
    for (const contractCase of METADATA_STORE_CASES) {
      test(contractCase.name, async (context) => {
        if (!(await runMetadataStoreCase(contractCase, create))) context.skip();
      });
    }
  });
}
