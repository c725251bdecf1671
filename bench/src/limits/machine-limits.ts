/** What the machine itself can do, measured in the same run. MB = 10^6 bytes. */
export interface MachineLimits {
  /** SHA-256 on one core. */
  readonly sha256MegabytesPerSecond: number;
  /** One file written from end to end, with one fdatasync at the end. */
  readonly diskMegabytesPerSecond: number;
  /** The same with an fdatasync after every 4 MiB. */
  readonly diskEvery4MibMegabytesPerSecond: number;
  /** 4 KiB: write a new file, fsync it, rename it. */
  readonly smallFilesPerSecond1Thread: number;
  readonly smallFilesPerSecond16Threads: number;
  /** HTTP/1.1 over loopback between two Node processes, 4 MiB bodies, 4 at once: bytes dropped on arrival. */
  readonly httpPutMegabytesPerSecond: number;
  readonly httpGetMegabytesPerSecond: number;
  /** The same where the sender of a put names the bytes by their SHA-256 and the receiver checks it. */
  readonly httpSha256PutMegabytesPerSecond: number;
  /** The same where the receiver of a get takes the SHA-256. */
  readonly httpSha256GetMegabytesPerSecond: number;
}

/** Input of the process that measures {@link MachineLimits}. */
export interface LimitsTask {
  /** A folder on the disk that the rows write to. */
  readonly folder: string;
  /** Bytes moved for each figure of throughput. */
  readonly sizeBytes: number;
  /** How long small files are written, for each number of threads. */
  readonly smallFilesMs: number;
}
