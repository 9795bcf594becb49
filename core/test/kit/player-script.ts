/**
 * An input as a conversation that a player has with a client and a target, both of which say what they like: connections that begin, octets of either side, turns
 * that end. Checks what must always hold, whatever they say.
 */
import assert from 'node:assert/strict';
import { InputReader } from '@trafficcopy/fuzz';
import { PLAYER_STATES, type Player, type Protocol } from '../../src/protocol/protocol.js';
import { DIGESTS } from './digests.js';

/** A player may add a login to what it is given, and numbers of its own; it must not blow anything up. */
const ADDED_BYTES_MAX = 64 * 1024;
const PASSWORD = 'the very secret word';
const CREDENTIALS = [
  { user: 'shop', targetUser: 'shop', password: PASSWORD, database: 'orders', collation: 0 },
  { user: '', targetUser: '', password: PASSWORD, database: '1', collation: 0 },
];

class Conversation {
  readonly player: Player;
  readonly out: number[] = [];
  #pending: number[] = [];

  constructor(protocol: Protocol) {
    const nonceKey = new Uint8Array(32).fill(7);
    this.player = protocol.player({ credentials: CREDENTIALS, digests: DIGESTS, nonceKey, serial: 1 });
  }

  readonly outlet = {
    write: (bytes: Uint8Array, offset: number, length: number): void => {
      assert.ok(offset >= 0 && length >= 0 && offset + length <= bytes.length, 'what is written lies in its bytes');
      this.out.push(...bytes.subarray(offset, offset + length));
    },
  };

  connect(isStart: boolean): void {
    this.#pending = [];
    this.player.connect(isStart);
    this.player.beginTurn();
  }

  /** Offers octets in pieces, each of `pieceBytes` at most. */
  say(text: Uint8Array, pieceBytes: number, endsTurn: boolean): void {
    for (let at = 0; at < text.length; at += pieceBytes) {
      this.#pending.push(...text.subarray(at, at + pieceBytes));
      this.#offer(endsTurn && at + pieceBytes >= text.length);
    }
    if (endsTurn) this.player.beginTurn();
  }

  #offer(isWhole: boolean): void {
    for (;;) {
      this.player.speak(this.outlet);
      if (this.player.state !== 'open' || this.#pending.length === 0) return;
      // Space around it that must not be touched or read into.
      const bytes = Uint8Array.from([0xaa, 0xaa, ...this.#pending, 0xaa]);
      const taken = this.player.translate(bytes, 2, this.#pending.length, isWhole, this.outlet);
      assert.ok(taken >= 0 && taken <= this.#pending.length, 'a player takes what it is offered');
      this.#pending.splice(0, taken);
      if (taken === 0 && this.player.state === 'open') {
        assert.ok(!isWhole, 'an open player takes the end of a turn');
        return;
      }
    }
  }

  hear(text: Uint8Array, missing: number): void {
    this.player.hear(Uint8Array.from([0xaa, ...text, 0xaa]), 1, text.length, text.length + missing);
    this.player.speak(this.outlet);
  }
}

/** Runs the input once with whole pieces and once cut into small ones. Returns what came out, as a number. */
export function runPlayerScript(protocol: Protocol, input: Uint8Array): number {
  const conversation = new Conversation(protocol);
  const reader = new InputReader(input);
  conversation.connect((reader.u8() & 1) === 1);
  let given = 0;
  let sum = 0;
  while (!reader.isOver) {
    const kind = reader.u8();
    const text = reader.bytes(reader.u8() + ((kind & 0x80) === 0 ? 0 : 512));
    given += text.length;
    if ((kind & 7) === 7) conversation.connect((kind & 8) !== 0);
    else if (kind & 1) conversation.hear(text, (kind & 0x40) === 0 ? 0 : 100);
    else conversation.say(text, kind & 2 ? 1 + ((kind >> 2) & 15) : 4096, (kind & 0x20) !== 0);
    sum = Math.imul(sum ^ PLAYER_STATES.indexOf(conversation.player.state), 31) | 0;
  }
  const { out, player } = conversation;
  assert.ok(out.length <= (given + 1) * 64 + ADDED_BYTES_MAX, 'little more comes out than goes in');
  assert.equal(player.problem !== '', player.state === 'refused', 'a refusal says why');
  assert.ok(!player.problem.includes(PASSWORD));
  return (sum ^ out.length) | 0;
}

/** One step of a script: `kind` as the runner reads it. */
export function playerStep(kind: number, text: Uint8Array): number[] {
  const long = text.length > 255;
  return [kind | (long ? 0x80 : 0), long ? Math.min(text.length - 512, 255) & 255 : text.length, ...text];
}
