import type { CommandSpecification } from '@trafficcopy/runtime';
import { COPY_FLAGS, COPY_GROUPS, COPY_REFUSED } from './copy-flags.js';
import { targetStructure } from './target-structure.js';

/** `trafficcopy copy`. */
export const COPY_COMMAND: CommandSpecification<typeof COPY_FLAGS> = {
  name: 'copy',
  summary: 'Copy live traffic of this host to a target (runs where the online server runs)',
  description:
    'Captures what clients send to ports of this host and replays it, connection by connection, to servers under test. ' +
    'Clients and the online server notice nothing. "trafficcopy intercept" must run where the target runs, and keeps its ' +
    'answers away from the clients. Needs CAP_NET_RAW. With -i FILE it replays what was recorded instead, on any host.',
  groups: COPY_GROUPS,
  flags: COPY_FLAGS,
  refused: COPY_REFUSED,
  structures: [targetStructure],
  examples: [
    {
      text: 'Copy port 80 of this host to 10.16.12.11, with the token that intercept printed there',
      command: 'trafficcopy copy -x 80-10.16.12.11:80 --join TOKEN',
    },
    {
      text: 'Copy a tenth of the connections, each three times, to two versions on one port',
      command: 'trafficcopy copy -x 80-10.16.12.11:8080+10.16.12.12:8080 -r 10 -n 3 --metrics 9100',
    },
  ],
};
