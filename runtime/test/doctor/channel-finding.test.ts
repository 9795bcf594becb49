import assert from 'node:assert/strict';
import net, { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type ChannelQuestion, channelFinding, type Finding } from '../../src/index.js';
import { ChannelFixture, SERVER_HELLO, until } from '../channel/channel-fixture.js';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

function ask(port: number, more: Partial<ChannelQuestion> = {}): Promise<Finding> {
  const question = { host: '127.0.0.1', port, isInsecure: false, joinToken: undefined, credentials: undefined };
  return channelFinding({ ...question, nowMs: Date.now(), ...more });
}

test('nothing listens: the fix is to start intercept', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const { verdict, text, fix } = await ask(port);
  assert.equal(verdict, 'fail');
  assert.match(text, /nothing listens there/);
  assert.match(fix, /trafficcopy intercept/);
});

test('an intercept that is --insecure is told from one that is not', async (t) => {
  const { server } = await new ChannelFixture(t).serve({});
  const { verdict, fix } = await ask(server.port);
  assert.equal(verdict, 'fail');
  assert.match(fix, /--insecure/);
  assert.equal((await ask(server.port, { isInsecure: true })).verdict, 'pass');
});

test('before joining: the token is compared and not used up', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server, seen } = await fixture.serveSecurely(authority);
  assert.equal((await ask(server.port)).verdict, 'warn');
  const joinToken = await authority.issueToken({});
  assert.equal((await ask(server.port, { joinToken })).verdict, 'pass');
  assert.equal((await ask(server.port, { joinToken })).verdict, 'pass', 'a second time as well');
  const other = await (await fixture.authority({}, 'other')).issueToken({});
  const wrong = await ask(server.port, { joinToken: other });
  assert.equal(wrong.verdict, 'fail');
  assert.match(wrong.text, /token of --join is of another one/);
  assert.deepEqual([seen.connections, seen.joined], [[], []]);
});

test('after joining: the certificate is looked at, and the clock against it', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const { server, seen } = await fixture.serveSecurely(authority);
  const credentials = await fixture.join(authority, server.port);
  assert.equal((await ask(server.port, { credentials })).verdict, 'pass');
  const early = await ask(server.port, { credentials, nowMs: Date.now() - YEAR_MS });
  assert.equal(early.verdict, 'fail');
  assert.match(early.text, /this clock .* is before the beginning of its certificate/);
  const late = await ask(server.port, { credentials, nowMs: Date.now() + 20 * YEAR_MS });
  assert.match(late.text, /its certificate has ended/);
  const other = await fixture.authority({}, 'other');
  const { server: second } = await fixture.serveSecurely(other, { hello: { ...SERVER_HELLO, name: 'second' } });
  const moved = await ask(second.port, { credentials });
  assert.equal(moved.verdict, 'fail');
  assert.match(moved.text, /another key than the one that this host joined/);
  assert.deepEqual(seen.connections, [], 'no copy has connected');
});

test('who looks is not counted as refused', async (t) => {
  const fixture = new ChannelFixture(t);
  const authority = await fixture.authority();
  const secure = await fixture.serveSecurely(authority);
  const plain = await fixture.serve({});
  const credentials = await fixture.join(authority, secure.server.port);
  await ask(secure.server.port);
  await ask(secure.server.port, { credentials });
  await ask(plain.server.port, { isInsecure: true });
  await until('both have seen it', () => secure.seen.looks.length === 2 && plain.seen.looks.length === 1);
  assert.deepEqual([secure.server.refusals, secure.seen.refusals, secure.server.handshakes], [0, [], 0]);
  assert.deepEqual([plain.server.refusals, plain.seen.refusals, plain.server.handshakes], [0, [], 0]);
});

test('who leaves without a word, or after octets of something else, is', async (t) => {
  const fixture = new ChannelFixture(t);
  const { server, seen } = await fixture.serve({});
  for (const text of ['', 'GET / HTTP/1.1\r\n\r\n']) net.connect(server.port, '127.0.0.1').end(text);
  await until('both are told', () => seen.refusals.length === 2);
  assert.deepEqual([server.refusals, seen.looks], [2, []]);
});
