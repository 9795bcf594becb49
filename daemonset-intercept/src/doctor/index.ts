/** `trafficcopy doctor intercept`: what intercept needs of the host of the target. */
export { type InterceptQuestion, interceptFindings } from './intercept-findings.js';
