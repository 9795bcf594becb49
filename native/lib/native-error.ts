/** What a call into the kernel failed with, and what to do about it. Codes are stable. */
export type NativeErrorCode =
  /** The process lacks a capability. */
  | 'ERR_NATIVE_PERMISSION'
  /** No such network interface in that namespace. */
  | 'ERR_NATIVE_INTERFACE'
  /** The network namespace could not be opened or entered. */
  | 'ERR_NATIVE_NETNS'
  /** Another socket is bound to the queue number. */
  | 'ERR_NATIVE_QUEUE_BUSY'
  /** The kernel lacks the facility (module, address family). */
  | 'ERR_NATIVE_UNSUPPORTED'
  /** The kernel has no memory for it. */
  | 'ERR_NATIVE_MEMORY'
  /** libpcap refused the expression. */
  | 'ERR_NATIVE_FILTER'
  /** An option is outside its bounds. */
  | 'ERR_NATIVE_OPTION'
  /** Used after close(). */
  | 'ERR_NATIVE_CLOSED'
  /** The addon is not built, or does not fit this machine. */
  | 'ERR_NATIVE_ADDON'
  /** Any other failing system call. */
  | 'ERR_NATIVE_SYSTEM';

/** A failure at the kernel's edge. `errno` is its name ('EPERM'), empty where no call was made. */
export class NativeError extends Error {
  override readonly name: string = 'NativeError';
  readonly code: NativeErrorCode;
  readonly errno: string;
  readonly syscall: string;

  constructor(
    code: NativeErrorCode,
    message: string,
    origin: { errno?: string; syscall?: string; cause?: unknown } = {},
  ) {
    super(message, origin.cause === undefined ? undefined : { cause: origin.cause });
    this.code = code;
    this.errno = origin.errno ?? '';
    this.syscall = origin.syscall ?? '';
  }
}
