import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoginRefusals } from '../../src/operator/login-refusals.js';
import { ManagedLogins } from '../../src/operator/managed-logins.js';

const GOOD = '- {protocol: redis, port: 6379, users: [{password: hunter2}]}';

test('credentials come, change and go', () => {
  const managed = new ManagedLogins();
  assert.deepEqual([managed.follow(undefined), managed.logins], [false, []]);
  assert.equal(managed.follow(GOOD), true);
  assert.equal(managed.logins?.[0]?.credentials[0]?.password, 'hunter2');
  assert.equal(managed.follow(GOOD), false);
  assert.equal(managed.follow(GOOD.replace('hunter2', 'hunter3')), true);
  assert.equal(managed.logins?.[0]?.credentials[0]?.password, 'hunter3');
  assert.deepEqual([managed.follow(undefined), managed.logins, managed.problem], [true, [], undefined]);
});

for (const [what, text, line] of [
  ['no YAML', 'a: [hunter2', /line \d/],
  ['an alias that is a password', '- {protocol: redis, port: 6379, users: [{password: *hunter2}]}', /line 1/],
  ['a password in place of a key', '- protocol: redis\n  port: 6379\n  users: [{hunter2}]', /line 3/],
  ['a password in place of a port', '- {protocol: redis, port: hunter2, users: [{password: a}]}', /line 1/],
  ['a port twice', `${GOOD}\n${GOOD}`, /cannot be read: /],
  ['nothing', '', /cannot be read: /],
] as const) {
  test(`${what}: the line is told, and nothing of the text`, () => {
    const managed = new ManagedLogins();
    managed.follow(text);
    assert.equal(managed.logins, undefined);
    assert.match(managed.problem ?? '', line);
    assert.match(managed.problem ?? '', /nothing is copied/);
    assert.doesNotMatch(managed.problem ?? '', /hunter2/);
  });
}

test('credentials that cannot be read leave those before in force', () => {
  const managed = new ManagedLogins();
  managed.follow(GOOD);
  managed.follow('a: [');
  assert.equal(managed.logins?.length, 1);
  assert.match(managed.problem ?? '', /those before stay in force/);
  managed.follow(GOOD);
  assert.equal(managed.problem, undefined);
});

test('credentials that could never be read are none, also when others follow that cannot be read', () => {
  const managed = new ManagedLogins();
  managed.follow('a: [');
  managed.follow('b: [');
  assert.equal(managed.logins, undefined);
  assert.match(managed.problem ?? '', /nothing is copied/);
});

test('a refusal is told while it is met again, and not with other credentials', () => {
  const refusals = new LoginRefusals();
  refusals.note(new Map([['no user shop', 1]]), 0);
  assert.deepEqual(refusals.problems(100_000), ['sessions are not let in at a target: no user shop']);
  assert.deepEqual(refusals.problems(200_000), []);
  refusals.note(new Map([['no user shop', 2]]), 200_000);
  assert.equal(refusals.problems(200_000).length, 1);
  refusals.forget();
  refusals.note(new Map([['no user shop', 2]]), 201_000);
  assert.deepEqual(refusals.problems(201_000), []);
});
