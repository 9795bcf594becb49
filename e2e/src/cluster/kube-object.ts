export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
    readonly [field: string]: unknown;
  };
  // What a test looks at differs from kind to kind; a wrong path is a failed test.
  // biome-ignore lint/suspicious/noExplicitAny: objects of every kind
  readonly [field: string]: any;
}
