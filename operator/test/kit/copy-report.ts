import { type CopyReport, EMPTY_COPY_REPORT } from '@trafficcopy/core';

/** Of a copy that has seen nothing yet. */
export const COPY_REPORT: CopyReport = { ...EMPTY_COPY_REPORT, generation: 1, state: 'copying', elapsedMs: 1000 };
