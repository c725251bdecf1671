import { metadataStoreContract } from "@ashlar/sdk/testing";
import { createPostgresSubject } from "./testing/postgres-subject.ts";

metadataStoreContract({ name: "the PostgreSQL metadata store", create: createPostgresSubject });
