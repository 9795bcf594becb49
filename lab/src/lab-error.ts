export type LabErrorCode =
  | 'ERR_LAB_COMMAND'
  | 'ERR_LAB_DEADLINE'
  | 'ERR_LAB_PRIVILEGE'
  | 'ERR_LAB_PROCESS'
  | 'ERR_LAB_CLOSED';

/** A lab could not be built, or something in it did not do what was waited for. The message says what to look at. */
export class LabError extends Error {
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LabError';
    this.code = code;
  }
}
