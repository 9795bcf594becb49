import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildCommand, formatJoinToken, newJoinToken, UsageError } from '@trafficcopy/runtime';
import { COPY_COMMAND, type ManagedConfig, managedConfig } from '../../src/config.js';

const TOKEN = formatJoinToken(newJoinToken('x'.repeat(43)));

async function configure(
  words: string,
  env: Record<string, string> = { TRAFFICCOPY_TOKEN: TOKEN },
): Promise<ManagedConfig> {
  const results: ManagedConfig[] = [];
  const command = buildCommand(COPY_COMMAND, env, (values) => {
    results.push(managedConfig(values, env));
  });
  await command.parseAsync(words.split(' '), { from: 'user' });
  return results[0]!;
}

async function refuses(words: string, message: RegExp, env?: Record<string, string>): Promise<void> {
  await assert.rejects(configure(words, env), (error: unknown) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, message);
    assert.ok(!error.message.includes(TOKEN));
    return true;
  });
}

test('the operator and the token are all that it needs', async () => {
  const config = await configure('--operator 10.96.0.20');
  assert.deepEqual(config.operator, { host: '10.96.0.20', port: 36524 });
  assert.deepEqual([config.token, config.metrics], [TOKEN, undefined]);
  assert.equal(config.basis.captureBufferBytes, 16 * 1024 * 1024);
  assert.equal(config.basis.idleTimeoutMs, 1_320_000);
});

test('tokens of intercepts outside the cluster are taken as they stand', async () => {
  const tokens = { TRAFFICCOPY_INTERCEPT_TOKEN_A: TOKEN, TRAFFICCOPY_INTERCEPT_TOKEN_B: 'nonsense' };
  const { interceptTokens } = await configure('--operator h', { TRAFFICCOPY_TOKEN: TOKEN, HOME: '/', ...tokens });
  assert.deepEqual(interceptTokens, tokens);
});

test('the pod is what it is called', async () => {
  const env = { TRAFFICCOPY_TOKEN: TOKEN, POD_NAMESPACE: 'shop', POD_NAME: 'checkout-0' };
  assert.equal((await configure('--operator h', env)).basis.name, 'shop/checkout-0');
});

test('what belongs to one pod may be given', async () => {
  const config = await configure('--operator [fd00::20]:7 -B 8 --metrics 9100 -M 1400 --max-cpu 50');
  assert.deepEqual(config.operator, { host: 'fd00::20', port: 7 });
  assert.equal(config.metrics?.port, 9100);
  assert.deepEqual([config.basis.captureBufferBytes, config.basis.mtuBytes], [8 * 1024 * 1024, 1400]);
  assert.equal(config.basis.budget.cpuPercentMax, 50);
});

for (const words of [
  '-x 80-10.0.0.2:80',
  '-s h',
  '-p 7',
  '--delivery tunnel',
  '-c 10.0.0.9',
  '-n 2',
  '-r 10',
  '--sample-by client',
  '--seed 1',
  '-i eth0',
  '-F tcp',
  `--join ${TOKEN}`,
  '--state /s',
  '--insecure',
  '--max-sessions 1',
  '--max-held 1',
  '--threads 2',
  '--record /r',
  '--trace lost',
  '--duration 5s',
  '-P /p',
]) {
  const flag = words.split(' ')[0]!;
  test(`${flag} is the operator's, or has no place in a pod: refused by name`, async () => {
    await refuses(`--operator h ${words}`, new RegExp(`${flag}(/| ).*does not go together with --operator`));
  });
}

test('without a token, or with half of one', async () => {
  await refuses('--operator h', /TRAFFICCOPY_TOKEN.*is that gone\?/, {});
  await refuses('--operator h', /TRAFFICCOPY_TOKEN: the value does not fit/, { TRAFFICCOPY_TOKEN: TOKEN.slice(0, 50) });
});
