/** A protocol whose players do whatever a player may, by the octets that they see: to find out whether sessions live with it. */
import type { ProtocolsConfig } from '../../src/engine-config.js';
import type { Outlet, Player, PlayerState, Protocol } from '../../src/protocol/protocol.js';
import { DIGESTS } from './digests.js';

const HELLO = Uint8Array.of(1, 2, 3, 4, 5);

class ContraryPlayer implements Player {
  state: PlayerState = 'open';
  isTurnUnknown = false;
  isAnswerOwn = false;
  #owed = 0;

  get problem(): string {
    return this.state === 'refused' ? 'it says no' : '';
  }

  beginTurn(): void {
    this.isTurnUnknown = false;
    this.isAnswerOwn = false;
  }

  connect(isStart: boolean): void {
    this.#owed = isStart ? 0 : 2;
    this.state = isStart ? 'open' : 'busy';
  }

  speak(out: Outlet): void {
    if (this.#owed === 0) return;
    this.#owed -= 1;
    out.write(HELLO, this.#owed, HELLO.length - this.#owed);
  }

  hear(_bytes: Uint8Array, _offset: number, _present: number, length: number): void {
    if (length === 13) this.state = 'lost';
    else if (this.state === 'busy') this.state = 'open';
  }

  translate(bytes: Uint8Array, offset: number, length: number, isWhole: boolean, out: Outlet): number {
    for (let at = offset; at < offset + length; at += 1) {
      const octet = bytes[at]!;
      const taken = at - offset;
      if (octet === 0x44) this.state = 'refused';
      else if (octet === 0x66) this.state = 'encrypted';
      else if (octet === 0x55) this.state = 'lost';
      if (this.state !== 'open') return taken;
      // It waits for more of the turn, as long as there may be more.
      if ((octet & 15) === 1 && length < 3 && !isWhole) return taken;
      if ((octet & 15) === 3) this.isTurnUnknown = true;
      if ((octet & 15) === 4) this.isAnswerOwn = true;
      if (this.isTurnUnknown || (octet & 15) === 0) continue;
      out.write(bytes, at, 1);
      if ((octet & 15) === 5) out.write(bytes, offset, length);
      if ((octet & 15) === 2) {
        this.state = 'busy';
        return taken + 1;
      }
    }
    return length;
  }
}

const CONTRARY: Protocol = { name: 'contrary', player: () => new ContraryPlayer() };

/** At port 80. */
export const CONTRARY_PROTOCOLS: ProtocolsConfig = {
  byPort: new Map([[80, { protocol: CONTRARY, credentials: [] }]]),
  digests: DIGESTS,
  nonceKey: new Uint8Array(32),
};
