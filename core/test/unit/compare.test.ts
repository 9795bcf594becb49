/** Answers of online and targets, side by side. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Answer } from '../../src/compare/answer.js';
import { compareAnswers } from '../../src/compare/answer-verdict.js';
import { hasSeveralRequests } from '../../src/compare/conversation-kind.js';
import { requestName } from '../../src/compare/request-name.js';
import { ComparedClient, CompareRig, type Reply } from '../kit/compare-rig.js';
import { textOf } from '../kit/segment.js';

const http = (body: string, headers = '', status = '200 OK'): string =>
  `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const pathOf = (request: string): string => / (\S+) /.exec(request)![1]!;
/** What all parties say. */
const same: Reply = (request) => http(`body of ${pathOf(request)}`);

function sums(rig: CompareRig): Record<string, unknown> {
  const { turns, equal, different, noise, incomparable } = rig.comparison.report;
  const reasons = Object.fromEntries(Object.entries(incomparable).filter(([, count]) => count > 0));
  return { turns, equal, different, noise, ...reasons };
}

describe('the comparison', () => {
  it('names exactly the requests that a target answers differently', () => {
    const rig = new CompareRig([
      { reply: (request) => (pathOf(request).endsWith('7') ? http('else', '', '500 Oh') : same(request)) },
    ]);
    const client = new ComparedClient(rig, 40_000);
    for (let index = 0; index < 20; index += 1) client.ask(get(`/${index}`), same(get(`/${index}`)));
    client.end();
    assert.deepEqual(sums(rig), { turns: 20, equal: 18, different: 2, noise: 0 });
    const differences = rig.differences();
    assert.deepEqual(
      differences.map(({ request, turn }) => [request, turn]),
      [
        ['GET /7', 7],
        ['GET /17', 17],
      ],
    );
    const [target] = differences[0]!.targets;
    assert.deepEqual([target!.name, target!.status, target!.fields], ['t0', 'HTTP/1.1 500 Oh', ['status', 'body']]);
    assert.equal(differences[0]!.online.status, 'HTTP/1.1 200 OK');
    assert.equal(rig.comparison.answersInUse, 0);
  });

  it('two targets: names the one that differs, and what no two parties agree on is noise', () => {
    let id = 1000;
    const reply = (): string => {
      id *= 3;
      return http(`{"id": "${id}", "name": "x"}`, `X-Id: ${id}\r\n`);
    };
    const rig = new CompareRig([
      { reply },
      { reply: (request) => (pathOf(request) === '/3' ? reply().replace('"x"', '"y"') : reply()) },
    ]);
    const client = new ComparedClient(rig, 40_000);
    for (let index = 0; index < 6; index += 1) client.ask(get(`/${index}`), reply());
    client.end();
    assert.deepEqual(sums(rig), { turns: 6, equal: 0, different: 1, noise: 5 });
    const [difference] = rig.differences();
    assert.equal(difference!.request, 'GET /3');
    assert.deepEqual(
      difference!.targets.map(({ name, fields }) => [name, fields]),
      [
        ['t0', []],
        ['t1', ['body']],
      ],
    );
    assert.deepEqual([...rig.comparison.report.noiseFields.keys()].sort(), ['body', 'x-id']);
  });

  it('counts a target that resets instead of answering as one that differs', () => {
    const rig = new CompareRig([
      { reply: same },
      { reply: (request) => (pathOf(request) === '/1' ? '' : same(request)) },
    ]);
    const client = new ComparedClient(rig, 40_000);
    client.ask(get('/0'), same(get('/0')));
    rig.capture(client.send(get('/1')));
    rig.targets[1]!.reset(rig.targets[1]!.connections[0]!);
    client.answer(same(get('/1')));
    client.end();
    assert.deepEqual(sums(rig), { turns: 2, equal: 1, different: 1, noise: 0 });
    const [difference] = rig.differences();
    assert.deepEqual(
      difference!.targets.map(({ fields }) => fields),
      [[], ['answer']],
    );
  });

  it('tells answers apart where the target closes behind each of them', () => {
    const rig = new CompareRig([{ reply: same, after: () => 'close' }]);
    const client = new ComparedClient(rig, 40_000);
    for (let index = 0; index < 5; index += 1) client.ask(get(`/${index}`), same(get(`/${index}`)));
    client.end();
    assert.deepEqual(sums(rig), { turns: 5, equal: 5, different: 0, noise: 0 });
  });

  it('a greeting of the server belongs to no turn', () => {
    const rig = new CompareRig([{ reply: same, greetingBytes: 20 }]);
    const client = new ComparedClient(rig, 40_000);
    client.answer('greeting of 20 octet');
    for (let index = 0; index < 3; index += 1) client.ask(get(`/${index}`), same(get(`/${index}`)));
    client.end();
    assert.deepEqual(sums(rig), { turns: 3, equal: 3, different: 0, noise: 0 });
  });

  it('a connection that was joined while it ran is compared from its first whole turn on', () => {
    const rig = new CompareRig([{ reply: same }]);
    const client = new ComparedClient(rig, 40_000);
    const late = new CompareRig([{ reply: same }]);
    // The other rig saw the handshake.
    late.capture(client.send(get('/before')));
    client.hear(40);
    for (let index = 0; index < 3; index += 1) {
      const request = get(`/${index}`);
      late.capture(client.send(request));
      const octets = textOf(same(request));
      late.capture(client.answerPacket((client.ack - client.base.ack) | 0, octets));
      client.hear(octets.length);
      late.wait(50);
    }
    late.capture(client.fin());
    late.wait(2000);
    assert.deepEqual(sums(late), { turns: 3, equal: 3, different: 0, noise: 0 });
  });

  it('only octets behind those that are kept differ: the length tells', () => {
    const long = 'x'.repeat(3000);
    const rig = new CompareRig([{ reply: () => http(`${long}!`) }], { answerBytesMax: 256 });
    const client = new ComparedClient(rig, 40_000);
    client.ask(get('/'), http(long));
    client.end();
    assert.deepEqual(rig.differences()[0]!.targets[0]!.fields, ['length']);
  });

  it('octets of online that were not captured make a turn incomparable, not different', () => {
    const rig = new CompareRig([{ reply: same }]);
    const client = new ComparedClient(rig, 40_000, (bytes) => [10, bytes - 10]);
    client.ask(get('/0'), same(get('/0')), ([first]) => [first!]);
    client.ask(get('/1'), same(get('/1')));
    client.end();
    assert.deepEqual(sums(rig), { turns: 2, equal: 1, different: 0, noise: 0, onlineIncomplete: 1 });
  });

  it('turns that no target got are incomparable', () => {
    const rig = new CompareRig([{ reply: same, refuse: true }]);
    const client = new ComparedClient(rig, 40_000);
    client.ask(get('/0'), same(get('/0')));
    client.end();
    assert.deepEqual(sums(rig), { turns: 1, equal: 0, different: 0, noise: 0, notDelivered: 1 });
  });

  it('a client that resets: answers are compared as far as all parties have come', () => {
    const rig = new CompareRig([{ reply: (request) => `${same(request)} and more` }]);
    const client = new ComparedClient(rig, 40_000);
    client.ask(get('/0'), same(get('/0')));
    client.abort();
    assert.deepEqual(sums(rig), { turns: 1, equal: 1, different: 0, noise: 0 });
  });

  it('limits: answers beyond the room are counted, and the room is free again', () => {
    const rig = new CompareRig([{ reply: same }], { answersMax: 4 });
    const clients = [0, 1, 2, 3].map((index) => new ComparedClient(rig, 40_000 + index));
    for (const client of clients) client.ask(get('/a'), same(get('/a')));
    for (const client of clients) client.end();
    assert.deepEqual(sums(rig), { turns: 4, equal: 2, different: 0, noise: 0, noRoom: 2 });
    const later = new ComparedClient(rig, 41_000);
    later.ask(get('/b'), same(get('/b')));
    later.end();
    assert.deepEqual(sums(rig), { turns: 5, equal: 3, different: 0, noise: 0, noRoom: 2 });
    assert.equal(rig.comparison.answersInUse, 0);
  });

  it('limits: differences beyond those that are kept are counted', () => {
    const rig = new CompareRig([{ reply: () => http('b') }], { differencesMax: 2 });
    const client = new ComparedClient(rig, 40_000);
    for (let index = 0; index < 5; index += 1) client.ask(get(`/${index}`), http('a'));
    client.end();
    assert.equal(rig.differences().length, 2);
    assert.equal(rig.comparison.report.differencesDropped, 3);
    assert.equal(rig.comparison.report.different, 5);
  });

  it('the last answer of a connection that stays open counts when it has been quiet, or at the end', () => {
    const rig = new CompareRig([{ reply: same }]);
    const client = new ComparedClient(rig, 40_000);
    client.ask(get('/0'), same(get('/0')));
    rig.comparison.tick(rig.nowMs);
    assert.equal(rig.comparison.report.turns, 0);
    rig.wait(6000);
    rig.comparison.tick(rig.nowMs);
    assert.deepEqual(sums(rig), { turns: 1, equal: 1, different: 0, noise: 0 });
    client.ask(get('/1'), same(get('/1')));
    rig.wait(1000);
    rig.close();
    assert.deepEqual(sums(rig), { turns: 2, equal: 2, different: 0, noise: 0 });
  });

  it('the end of the copy, right behind the last answers: those count that say that they are whole', () => {
    const rig = new CompareRig([{ reply: (request) => (request.startsWith('GET') ? same(request) : 'plain') }]);
    const clients = [0, 1].map((index) => new ComparedClient(rig, 40_000 + index));
    clients[0]!.ask(get('/0'), same(get('/0')));
    clients[1]!.ask('ask', 'plain');
    rig.close();
    assert.deepEqual(sums(rig), { turns: 2, equal: 1, different: 0, noise: 0, interrupted: 1 });
  });

  it('names requests for which a target took much longer', () => {
    const rig = new CompareRig([{ reply: (request) => (pathOf(request) === '/slow' ? '' : same(request)) }]);
    const client = new ComparedClient(rig, 40_000);
    client.ask(get('/fast'), same(get('/fast')));
    client.ask(get('/slow'), same(get('/slow')));
    rig.wait(200);
    rig.targets[0]!.say(same(get('/slow')));
    rig.settle();
    client.end();
    const { slow } = rig.comparison.report;
    assert.deepEqual(
      slow.map(({ request, target, targetUs }) => [request, target, targetUs]),
      [['GET /slow', 't0', 250_000]],
    );
  });
});

describe('a verdict', () => {
  function answer(text: string, bytesMax = 4096): Answer {
    const made = new Answer(bytesMax);
    const octets = textOf(text);
    made.take(0, octets, 0, octets.length, octets.length, 0);
    return made;
  }
  function fields(online: string, ...targets: string[]): unknown {
    const verdict = compareAnswers(
      answer(online),
      targets.map((text) => answer(text)),
      new Set(['date']),
    );
    return { fields: verdict.targets.map((target) => target.fields), noise: verdict.noise };
  }

  it('headers that are ignored, their case and their order make no difference', () => {
    const online = 'HTTP/1.1 200 OK\r\nDate: 1\r\nA: 1\r\nB: 2\r\n\r\nbody';
    assert.deepEqual(fields(online, 'HTTP/1.1 200 OK\r\nb: 2\r\nDate: 2\r\na: 1\r\n\r\nbody'), {
      fields: [[]],
      noise: [],
    });
  });

  it('a header that only one has, or has twice, differs', () => {
    const online = 'HTTP/1.1 200 OK\r\nA: 1\r\n\r\n';
    assert.deepEqual(fields(online, 'HTTP/1.1 200 OK\r\n\r\n'), { fields: [['a']], noise: [] });
    assert.deepEqual(fields(online, 'HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\n\r\n'), { fields: [['a']], noise: [] });
  });

  it('a word that is longer moves nothing behind it', () => {
    assert.deepEqual(fields('id 1 end', 'id 22 end', 'id 333 end'), { fields: [[], []], noise: ['body'] });
    assert.deepEqual(fields('id 1 end', 'id 22 END', 'id 333 end'), { fields: [['body'], []], noise: ['body'] });
  });

  it('one target: every deviation is a difference', () => {
    assert.deepEqual(fields('id 1 end', 'id 22 end'), { fields: [['body']], noise: [] });
  });

  it('two targets that agree with each other and not with online both differ', () => {
    assert.deepEqual(fields('a', 'b', 'b'), { fields: [['body'], ['body']], noise: [] });
  });

  it('an interim response is passed over', () => {
    const final = 'HTTP/1.1 200 OK\r\nA: 1\r\n\r\nbody';
    assert.deepEqual(fields(final, `HTTP/1.1 100 Continue\r\n\r\n${final}`), { fields: [[]], noise: [] });
  });

  it('says where in the answer of online the first difference stands', () => {
    const online = 'HTTP/1.1 200 OK\r\nA: 1\r\n\r\none two';
    const target = answer('HTTP/1.1 200 OK\r\nA: 1\r\n\r\none tvo');
    const verdict = compareAnswers(answer(online), [target], new Set());
    assert.equal(verdict.targets[0]!.offset, online.indexOf('two'));
  });
});

describe('the name of a request', () => {
  const nameOf = (text: string): string => requestName(textOf(text), textOf(text).length);

  it('is method and path of HTTP, and otherwise its first octets without any that move a cursor', () => {
    assert.equal(nameOf('POST /a/b?c=1 HTTP/1.1\r\nHost: x\r\n\r\n'), 'POST /a/b?c=1');
    assert.equal(nameOf('*1\r\n$4\r\nPING\r\n'), '*1\\r\\n$4\\r\\nPING\\r\\n');
    assert.equal(nameOf('GET \u001b[2J HTTP/1.1\r\n'), 'GET \\x1b[2J HTTP/1.1\\r\\n');
    assert.equal(nameOf(`GET /${'a'.repeat(1000)}`).length, 256);
  });
});

describe('the kind of a conversation', () => {
  const hasSeveral = (text: string, totalBytes = text.length): boolean =>
    hasSeveralRequests(textOf(text), text.length, totalBytes);

  it('pipelining shows where the first request of a turn ends before the turn does', () => {
    assert.equal(hasSeveral('GET /a HTTP/1.1\r\nHost: a\r\n\r\n'), false);
    assert.equal(hasSeveral('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n\r\n'), true);
    assert.equal(hasSeveral('POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody'), false);
    assert.equal(hasSeveral('POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody', 1000), true);
    assert.equal(hasSeveral('POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n'), false);
    assert.equal(hasSeveral('GET /a HTTP/1.1\r\nHost: a\r\n', 5000), false, 'the head is not whole');
    assert.equal(hasSeveral('*1\r\n\r\nPING\r\n'), false, 'no HTTP');
  });

  it('a client that pipelines: what differs may be the answer to another request, and accuses nobody', () => {
    const rig = new CompareRig([{ reply: (request) => (pathOf(request) === '/1' ? http('else') : same(request)) }]);
    const client = new ComparedClient(rig, 40_000);
    client.ask(get('/0'), same(get('/0')));
    client.ask(get('/1') + get('/2'), same(get('/1')) + same(get('/2')));
    client.end();
    assert.deepEqual(sums(rig), { turns: 2, equal: 1, different: 0, noise: 0, notAligned: 1 });
  });

  it('HTTP/2, and what follows an upgrade, is not compared', () => {
    const rig = new CompareRig([{ reply: () => 'other' }]);
    const client = new ComparedClient(rig, 40_000);
    client.ask('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'frames');
    client.ask('more frames', 'frames');
    client.end();
    assert.deepEqual(sums(rig), { turns: 2, equal: 0, different: 0, noise: 0, multiplexed: 2 });
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';
    const upgraded = new CompareRig([{ reply: (request) => (request.startsWith('GET') ? upgrade : 'other') }]);
    const socket = new ComparedClient(upgraded, 40_000);
    socket.ask(get('/socket'), upgrade);
    socket.ask('frame', 'frame back');
    socket.end();
    assert.deepEqual(sums(upgraded), { turns: 2, equal: 1, different: 0, noise: 0, multiplexed: 1 });
  });
});

describe('turns of a comparison', () => {
  it('wait for the whole answer: one that is nearly as long as online’s holds the next turn up', () => {
    const rig = new CompareRig([{ reply: () => '' }]);
    const [target] = rig.targets;
    const client = new ComparedClient(rig, 40_000);
    const answer = http('x'.repeat(1000));
    client.ask(get('/0'), answer);
    target!.say(answer.slice(0, -100));
    rig.capture(client.send(get('/1')));
    rig.wait(1000);
    assert.equal(target!.streams()[0], get('/0'), 'its head says that more comes');
    target!.say(answer.slice(-100));
    rig.settle();
    assert.equal(target!.streams()[0], get('/0') + get('/1'));
    target!.say(answer);
    client.answer(answer);
    client.end();
    assert.deepEqual(sums(rig), { turns: 2, equal: 2, different: 0, noise: 0 });
  });

  it('go at once behind a whole answer of another length, and after 50 ms where it does not say its length', () => {
    const rig = new CompareRig([{ reply: (request) => (request.startsWith('GET') ? http('short') : 'short') }]);
    const [target] = rig.targets;
    const client = new ComparedClient(rig, 40_000);
    client.ask(get('/0'), http('x'.repeat(1000)));
    rig.capture(client.send('ask 1'));
    assert.equal(target!.streams()[0], `${get('/0')}ask 1`);
    const octets = textOf('a long answer that says nothing of its length');
    rig.capture(client.answerPacket((client.ack - client.base.ack) | 0, octets));
    client.hear(octets.length);
    rig.capture(client.send('ask 2'));
    rig.wait(40);
    assert.equal(target!.streams()[0], `${get('/0')}ask 1`);
    rig.wait(20);
    assert.equal(target!.streams()[0], `${get('/0')}ask 1ask 2`);
    client.end();
    assert.equal(rig.comparison.report.different, 2);
  });
});
