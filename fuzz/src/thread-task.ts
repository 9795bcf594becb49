export interface ThreadTask {
  /** URL of the compiled target. */
  readonly file: string;
  readonly seed: number;
  readonly inputsMax: number;
  readonly msMax: number;
  readonly shared: SharedArrayBuffer;
}

export interface ThreadReport {
  readonly inputs: number;
  readonly elapsedMs: number;
  /** Different things that the inputs made happen. */
  readonly features: number;
  readonly slowestMs: number;
}
