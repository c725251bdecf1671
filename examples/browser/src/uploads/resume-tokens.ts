/** Everything that is needed to resume an upload, also after a reload: kept in IndexedDB until the upload is complete. */
export interface ResumeToken {
  /** Names the upload in the store, which knows the parts that it has. */
  readonly uploadId: string;
  readonly bucket: string;
  readonly key: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly lastModifiedMs: number;
  readonly partBytes: number;
  /** By the store's clock. */
  readonly createdAtMs: number;
  /** The mark that the object gets, see {@link UPLOAD_MARK}. Older pages kept none. */
  readonly mark?: string | undefined;
  /** Lets the browser open the file again without asking for it; where the browser has such handles. */
  readonly handle?: FileSystemFileHandle | undefined;
}

const STORE = "uploads";

/** Every unfinished upload of this browser, oldest first. */
export async function listTokens(): Promise<readonly ResumeToken[]> {
  const tokens = await inStore<ResumeToken[]>("readonly", (store) => store.getAll());
  return tokens.toSorted((one, other) => one.createdAtMs - other.createdAtMs);
}

/** The upload of this file to this key. Files are told apart by size and time of the last change; their bytes are compared later. */
export async function findToken(bucket: string, key: string, file: File): Promise<ResumeToken | undefined> {
  const tokens = await listTokens();
  return tokens.find((token) => token.bucket === bucket && token.key === key && isFileOf(token, file));
}

export function isFileOf(token: ResumeToken, file: File): boolean {
  return token.name === file.name && token.sizeBytes === file.size && token.lastModifiedMs === file.lastModified;
}

export async function keepToken(token: ResumeToken): Promise<void> {
  await inStore("readwrite", (store) => store.put(token));
}

export async function dropToken(uploadId: string): Promise<void> {
  await inStore("readwrite", (store) => store.delete(uploadId));
}

let opening: Promise<IDBDatabase> | undefined;

function openDatabase(): Promise<IDBDatabase> {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("ashlar-browser-example", 1);
    request.onupgradeneeded = () => void request.result.createObjectStore(STORE, { keyPath: "uploadId" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function inStore<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest): Promise<T> {
  const database = await openDatabase();
  return await new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode);
    const request = work(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result as T);
    transaction.onabort = () => reject(transaction.error);
  });
}
