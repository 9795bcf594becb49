/** Credentials that an operator hands out, with redis-server as online and target. Set up as in managed.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, Redis } from '@trafficcopy/lab';
import { ManagedRig } from '../kit/managed-rig.js';

const NEEDS_ROOT = { skip: process.geteuid?.() === 0 ? false : 'needs root' };
const PORT = 6379;

function credentials(password: string): string {
  return `- {protocol: redis, port: ${PORT}, users: [{name: default, password: ${password}}]}\n`;
}

test('credentials come, change and go while it copies: sessions log in, new ones with the new', NEEDS_ROOT, () =>
  ManagedRig.with(async (rig) => {
    const { online, target, client } = rig.lab;
    const [first, second] = [await Redis.start(online, PORT), await Redis.start(target, PORT)];
    await first.requirePassword('of-online');
    await second.requirePassword('hunter2');
    const endpoint = { ...rig.endpoint(target), port: PORT };
    const mappings = [{ onlinePort: PORT, targets: [{ name: 'candidate', endpoints: [endpoint] }] }];
    await rig.configure({ mappings, credentials: credentials('hunter2') });
    const copy = await rig.startCopy();
    await rig.inForce();
    const login = ['-h', online.ipv4, '-p', String(PORT), '-a', 'of-online', '--no-auth-warning'];
    const set = (key: string): Promise<string> => client.expect('redis-cli', [...login, 'SET', key, 'there']);
    const arrived = (key: string): Promise<unknown> =>
      eventually(`${key} at the target`, 20_000, async () =>
        (await second.command('GET', key)) === 'there' ? key : undefined,
      );
    await set('first');
    await arrived('first');

    // One connection, which goes on all the time.
    await client.start('counting', 'redis-cli', [...login, '-r', '-1', '-i', '0.02', 'INCR', 'counter']);
    const counted = async (): Promise<number> => Number(await second.command('GET', 'counter'));
    const goesOn = async (what: string): Promise<unknown> => {
      const before = await counted();
      return eventually(what, 20_000, async () => ((await counted()) > before + 10 ? true : undefined));
    };
    await goesOn('the running connection counts at the target');

    const { sessionsStarted } = await rig.reportThat('it counts', () => true);
    await second.requirePassword('hunter3');
    await rig.configure({ credentials: credentials('hunter3') });
    const changed = await rig.inForce();
    assert.equal(changed.sessionsStarted, sessionsStarted, 'the session that is logged in goes on');
    await set('second');
    await arrived('second');
    await goesOn('it counts on');
    const { turnsLost } = await rig.reportThat('nothing was lost', () => true);
    assert.deepEqual(turnsLost, {});

    await rig.configure({ credentials: credentials('wrong') });
    await rig.inForce();
    await set('third');
    const refused = await rig.reportThat('it is told', ({ problems }) => problems.length > 0);
    assert.match(refused.problems.join(), /sessions are not let in at a target: /);

    // Without a login of its own the session begins anew, says what the client says, and is not let in; with one again it is.
    await rig.configure({ credentials: undefined });
    await rig.inForce();
    const before = await counted();
    await rig.configure({ credentials: credentials('hunter3') });
    await rig.inForce();
    await eventually('it is logged in again', 20_000, async () => ((await counted()) > before + 10 ? true : undefined));
    assert.equal(await second.command('GET', 'third'), '');
    assert.doesNotMatch([...copy.lines, JSON.stringify(await rig.lastReport())].join(), /hunter|wrong/);
  }),
);
