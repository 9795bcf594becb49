import { NativeError } from './native-error.js';

/** libpcap does not understand a filter expression; `reason` is what it says about it. */
export class FilterError extends NativeError {
  override readonly name = 'FilterError';
  readonly expression: string;
  readonly reason: string;

  constructor(expression: string, reason: string) {
    super('ERR_NATIVE_FILTER', `capture filter «${expression}»: ${reason} (syntax: man pcap-filter)`, {
      errno: 'EINVAL',
      syscall: 'pcap_compile',
    });
    this.expression = expression;
    this.reason = reason;
  }
}
