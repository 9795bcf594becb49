import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { INTERCEPT_COMMAND } from '@trafficcopy/daemonset-intercept/config';
import { type CommandSpecification, configFlags, configKey } from '@trafficcopy/runtime';
import { COPY_COMMAND } from '@trafficcopy/sidecar-copy/config';

const COMMANDS: readonly CommandSpecification[] = [COPY_COMMAND, INTERCEPT_COMMAND];

describe('keys of configuration files', () => {
  for (const command of COMMANDS) {
    it(`of ${command.name} mean one flag each`, () => {
      const owners = new Map<string, string>();
      for (const [name, flag] of configFlags(command)) {
        for (const key of new Set([flag.long, configKey(flag), flag.specName ?? flag.long])) {
          assert.equal(owners.get(key), undefined, `${key} is the key of ${name} and of ${owners.get(key)}`);
          owners.set(key, name);
        }
      }
      for (const { key } of command.structures ?? []) assert.equal(owners.get(key), undefined, key);
    });
  }
});
