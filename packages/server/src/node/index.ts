export { createStorageNode, type StorageNode, type StorageNodeOptions } from "./create-storage-node.ts";
export { DISK_RESERVE_BYTES } from "./disk-watch.ts";
export { lostDiskAction } from "./lost-disk.ts";
export { assertNodeId } from "./node-id.ts";
