/** A file that the user chose or dropped. */
export interface PickedFile {
  readonly file: File;
  /** Its name, with the folders that it was in: `holiday/2026/cat.jpg`. */
  readonly path: string;
  /** With it the file can be read again after a reload. Some browsers give one for dropped files. */
  readonly handle?: FileSystemFileHandle | undefined;
}

/** Only Chromium has it. */
interface HandleItem extends DataTransferItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}

/** The files of an `<input type="file">`. */
export function filesOfInput(input: HTMLInputElement): readonly PickedFile[] {
  return [...(input.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/** The dropped files, with everything in the dropped folders. */
export async function filesOfDrop(data: DataTransfer): Promise<readonly PickedFile[]> {
  // The items are gone after the first await.
  const dropped = [...data.items]
    .filter((item) => item.kind === "file")
    .map((item: HandleItem) => ({
      handle: item.getAsFileSystemHandle?.().catch(() => null),
      entry: item.webkitGetAsEntry(),
      file: item.getAsFile(),
    }));
  const found = await Promise.all(
    dropped.map(async ({ handle, entry, file }) => {
      const opened = await handle;
      if (opened instanceof FileSystemFileHandle) return [await fileOfHandle(opened, "")];
      if (entry !== null) return await filesOfEntry(entry);
      return file === null ? [] : [{ file, path: file.name }];
    }),
  );
  return found.flat();
}

/** The file behind a handle. */
export async function fileOfHandle(handle: FileSystemFileHandle, folder: string): Promise<PickedFile> {
  return { file: await handle.getFile(), path: folder + handle.name, handle };
}

async function filesOfEntry(entry: FileSystemEntry): Promise<readonly PickedFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ file, path: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: PickedFile[] = [];
  for (;;) {
    // A reader gives some of the entries at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const child of some) found.push(...(await filesOfEntry(child)));
  }
}
