/** What a reason for lost turns means, and what helps (docs/session.md has the whole list). */
const MEANINGS: Readonly<Record<string, string>> = {
  captureGap: 'packets were never seen: the capture buffer was full, or they did not pass this pod',
  targetRefused: 'the target refused the connection: does it listen on the port?',
  targetReset: 'the target closed or reset the connection before it took the request',
  targetUnavailable: 'no target pod was ready, or the one in use went away',
  noResponse: 'the target did not answer in time',
  shed: 'a limit was reached (spec.limits), or the node is short of CPU',
  overBudget: 'the copy was far beyond its safety budget, so sessions were ended',
  channelLost: 'the channel to the intercept of the target was lost',
  interrupted: 'the copy ended while the request was on its way',
  encrypted: 'the connection turned out to be TLS, which cannot be copied',
  loginRefused: 'the target did not let the user in, or there is no credential for it',
  stateUnknown: 'the request needs what only the online server knows, like a statement prepared before the copy began',
  suspended: 'the TrafficCopy was suspended while the request was on its way',
  withdrawn: 'the target was removed from the TrafficCopy',
};

export function lossText(reason: string): string {
  return MEANINGS[reason] ?? '';
}
