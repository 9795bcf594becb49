import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { buildCommand, UsageError } from '@trafficcopy/runtime';
import { COPY_COMMAND, type CopyConfig, copyConfig } from '../../src/config.js';

const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-config-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const file = join(directory, 'copy.yaml');

async function configure(words: string): Promise<CopyConfig> {
  const results: CopyConfig[] = [];
  const command = buildCommand(COPY_COMMAND, {}, (values) => void results.push(copyConfig(values, [])));
  await command.parseAsync(words.split(' '), { from: 'user' });
  return results[0]!;
}

function configureFile(yaml: string): Promise<CopyConfig> {
  writeFileSync(file, yaml, { mode: 0o600 });
  return configure(`--config ${file}`);
}

function refuses(yaml: string, message: string): Promise<void> {
  return assert.rejects(configureFile(yaml), (error: unknown) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.equal(error.message, `${file}:${message}`);
    return true;
  });
}

const WORDS =
  '-x 80-10.16.12.11:8080,443-[fd00::1]:8443 -s 10.16.12.11=10.16.12.12:36525,fd00::1=[fd00::2] --delivery tunnel -c 10.9.0.0/30,fd00:9::/126 ' +
  '-n 3 -r 10 --sample-by client --seed 7 --max-sessions 50000 --max-held 64 --duration 9000 -W --max-cpu 50 -m 512 -g 600';

describe('a configuration file of a copy', () => {
  it('says with the words of flags what a command line says', async () => {
    const yaml = `
map: ["80-10.16.12.11:8080", "443-[fd00::1]:8443"]
intercept: ["10.16.12.11=10.16.12.12:36525", "fd00::1=[fd00::2]"]
delivery: tunnel
clientAddress: [10.9.0.0/30, "fd00:9::/126"]
copies: 3
percent: 10
sampleBy: client
seed: 7
maxSessions: 50000
maxHeld: 64
duration: 9000
noWait: true
maxCpu: 50
maxMemory: 512
ramp: 600
`;
    assert.deepEqual(await configureFile(yaml), await configure(WORDS));
  });

  it('says with the words of TrafficCopy.spec what a command line says', async () => {
    const yaml = `
targets:
- address: 10.16.12.11
  intercept: 10.16.12.12:36525
  ports:
  - {source: 80, target: 8080}
- address: fd00::1
  intercept: "[fd00::2]"
  ports: [{source: 443, target: 8443}]
delivery: Tunnel
clientAddress: {cidrs: [10.9.0.0/30, "fd00:9::/126"]}
multiply: 3
sample: {percent: 10, by: Client, seed: 7}
limits: {sessions: 50000, memory: 64Mi, processMemory: 512Mi}
duration: 2h30m
ramp: 10m
noWait: true
maxCpu: 50
`;
    assert.deepEqual(await configureFile(yaml), await configure(WORDS));
  });

  it('needs no port for the target where it is that of online', async () => {
    const yaml = 'targets: [{address: 10.16.12.11, ports: [{source: 80}, {source: 10.0.0.1:81}]}]';
    assert.deepEqual(await configureFile(yaml), await configure('-x 80-10.16.12.11:80,10.0.0.1:81-10.16.12.11:81'));
  });

  it('refuses targets with what is wrong in them, and where', async () => {
    await refuses(
      'targets:\n- address: 10.16.12.11\n',
      '2: targets[0]: ports is missing: expected a list of source and target',
    );
    await refuses(
      'targets:\n- ports: [{source: 80}]\n',
      '2: targets[0]: expected the IP address of the target: address',
    );
    await refuses(
      'targets:\n- address: 10.16.12.11\n  ports:\n  - source: 80\n    traget: 81\n',
      '5: targets[0].ports[0].traget: unknown key (Did you mean target?)',
    );
    await refuses(
      'targets:\n- address: 10.16.12.11\n  ports:\n  - source: 80\n    target: 99999\n',
      '4: targets[0].ports[0]: "80-10.16.12.11:99999" does not fit (99999 is no port: ports are from 1 to 65535): ' +
        `expected ${COPY_COMMAND.flags.map.value.expected}`,
    );
  });

  it('is checked as a whole as a command line is', async () => {
    await assert.rejects(configureFile('percent: 10'), /-x\/--map MAPPING,… is missing/);
    await assert.rejects(configureFile('map: 80-10.16.12.11:80\nseed: 3'), /--seed has no effect/);
  });
});
