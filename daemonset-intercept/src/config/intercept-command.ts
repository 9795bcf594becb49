import type { CommandSpecification } from '@trafficcopy/runtime';
import { INTERCEPT_FLAGS, INTERCEPT_GROUPS, INTERCEPT_REFUSED } from './intercept-flags.js';

/** `trafficcopy intercept`. */
export const INTERCEPT_COMMAND: CommandSpecification<typeof INTERCEPT_FLAGS> = {
  name: 'intercept',
  summary: "Keep a target's answers to copied requests away from clients (runs where the target runs)",
  description:
    'Takes the answers to copied connections out of the kernel, drops them, and returns their headers to the copy. It ' +
    'installs its own iptables rules and restores what it found when it ends. At the start it prints the "trafficcopy ' +
    'copy" command to run where the online server runs. Needs CAP_NET_ADMIN and CAP_NET_RAW.',
  groups: INTERCEPT_GROUPS,
  flags: INTERCEPT_FLAGS,
  refused: INTERCEPT_REFUSED,
  examples: [
    {
      text: 'Serve copies for port 8080 of this host and for no other port',
      command: 'trafficcopy intercept --target 8080',
    },
    {
      text: 'Serve a target in a network namespace, with figures for Prometheus',
      command: 'trafficcopy intercept --netns /run/netns/test --metrics 9101',
    },
  ],
};
