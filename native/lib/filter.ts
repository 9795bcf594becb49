import { addon, callNative } from './addon.js';

/**
 * Checks a libpcap expression for packets that start at their IP header (DLT_RAW) and touches nothing. Host names in it
 * are looked up, which blocks: give addresses.
 *
 * @throws FilterError with libpcap's message.
 */
export function compileFilter(expression: string): void {
  callNative('compile the capture filter', () => addon().compileFilter(expression));
}
