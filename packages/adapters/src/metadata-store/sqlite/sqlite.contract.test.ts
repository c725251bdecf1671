import { metadataStoreContract } from "@ashlar/sdk/testing";
import { createSqliteSubject } from "./testing/sqlite-subject.ts";

metadataStoreContract({ name: "the SQLite metadata store", create: createSqliteSubject });
