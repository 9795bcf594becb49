/** What players of all protocols have in common, seen with the smallest protocol: pieces of a length, a letter, and text. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Outlet } from '../../src/protocol/protocol.js';
import { StreamPlayer } from '../../src/protocol/stream-player.js';
import { DIGESTS } from '../kit/digests.js';

const CREDENTIALS = [
  { user: 'shop', targetUser: 'shop2', password: 'pw', database: '', collation: 0 },
  { user: '', targetUser: '', password: 'pw', database: '', collation: 0 },
];

/** `d` is dropped, `u` makes the turn unknown, `n` names a user, all else passes. */
class LetterPlayer extends StreamPlayer {
  readonly calls: string[] = [];

  constructor(credentials = CREDENTIALS) {
    super('Letters', { credentials, digests: DIGESTS, nonceKey: new Uint8Array(32), serial: 1 });
    this.connect(true);
    this.beginTurn();
  }

  protected begin(): void {
    this.calls.push('begin');
  }

  protected resume(): void {
    this.calls.push('resume');
  }

  speak(): void {}

  hear(): void {}

  protected look(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    if (end - at < 2) return 0;
    const length = bytes[at]! - 0x30;
    switch (String.fromCharCode(bytes[at + 1]!)) {
      case 'd':
        this.isDropping = true;
        break;
      case 'u':
        this.isTurnUnknown = true;
        this.isDropping = true;
        break;
      case 'n': {
        if (end - at < length) return 0;
        const credential = this.credentialFor(Buffer.from(bytes.subarray(at + 2, at + length)).toString());
        if (credential === undefined) return 0;
        this.credential = credential;
        break;
      }
    }
    return this.goBy(bytes, at, end, length, out);
  }

  protected override onGoneBy(): void {
    this.calls.push('by');
  }

  get user(): string | undefined {
    return this.credential?.targetUser;
  }
}

/** Says one turn in pieces of `pieceBytes`. Returns what the target is sent. */
function say(player: LetterPlayer, text: string, pieceBytes = text.length): string {
  let sent = '';
  const out = {
    write: (bytes: Uint8Array, offset: number, length: number): void => {
      sent += Buffer.from(bytes.subarray(offset, offset + length)).toString();
    },
  };
  let pending = '';
  for (let at = 0; at < text.length; at += pieceBytes) {
    pending += text.slice(at, at + pieceBytes);
    const isWhole = at + pieceBytes >= text.length;
    pending = pending.slice(player.translate(Buffer.from(pending), 0, pending.length, isWhole, out));
  }
  if (player.state === 'open') assert.equal(pending, '', 'an open player takes a whole turn');
  player.beginTurn();
  return sent;
}

describe('a piece', () => {
  for (const pieceBytes of [1, 2, 3, 5, 100]) {
    it(`passes or is dropped as a whole, in cuts of ${pieceBytes}`, () => {
      const player = new LetterPlayer();
      assert.equal(say(player, '3pa5dbcd4pef2d9pghijklm', pieceBytes), '3pa4pef9pghijklm');
      assert.deepEqual(player.calls, ['begin', 'by', 'by', 'by', 'by', 'by']);
    });
  }

  it('is gone by when the last of its octets is there, also in another turn', () => {
    const player = new LetterPlayer();
    assert.equal(say(player, '5pa') + say(player, 'bc3pd'), '5pabc3pd');
    assert.equal(player.calls.filter((call) => call === 'by').length, 2);
  });

  it('that a turn ends in the head of goes by', () => {
    assert.equal(say(new LetterPlayer(), '3dx2'), '2');
  });
});

it('of a turn that is unknown nothing more is sent, and the next one is as it was', () => {
  const player = new LetterPlayer();
  assert.equal(say(player, '3pa4uxy3pb2'), '3pa');
  assert.equal(say(player, '3pc'), '3pc');
});

describe('a user', () => {
  it('gets his name at the target, or keeps it where one stands for all', () => {
    const player = new LetterPlayer();
    say(player, '6nshop');
    assert.equal(player.user, 'shop2');
    say(player, '4nme');
    assert.equal(player.user, 'me');
  });

  it('that the credentials do not have is refused by name, until the next connection', () => {
    const player = new LetterPlayer(CREDENTIALS.slice(0, 1));
    assert.equal(say(player, '3pa4nme3pb'), '3pa');
    assert.deepEqual([player.state, player.problem], ['refused', 'Letters: user "me" has no credential']);
    player.connect(false);
    assert.deepEqual([player.state, player.problem, player.calls.at(-1)], ['busy', '', 'resume']);
  });

  it('is forgotten when a client begins anew, and kept when it goes on', () => {
    const player = new LetterPlayer();
    say(player, '6nshop');
    player.connect(false);
    assert.equal(player.user, 'shop2');
    player.connect(true);
    assert.deepEqual([player.user, player.state], [undefined, 'open']);
  });
});
