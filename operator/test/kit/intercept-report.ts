import type { InterceptReport } from '@trafficcopy/core';

/** Of an intercept that has nothing to do. */
export const INTERCEPT_REPORT: InterceptReport = {
  kind: 'intercept',
  revision: 0,
  pods: [],
  flows: 0,
  packetsInjected: 0,
  responses: 0,
  queueDrops: 0,
  recordsRefused: {},
  cpuUs: 0,
  rssBytes: 0,
};
