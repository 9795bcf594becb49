/**
 * A server with caching_sha2_password, which Debian has none of: --port --user --password. It keeps of the password what MySQL keeps, checks the proof of a login with it, and asks who it does not
 * remember for the password under its RSA key, as MySQL does over plain TCP (MySQL internals, «Caching SHA-2 Pluggable Authentication»). Statements are noted and answered with OK.
 * Questions: statements -> those of all connections; logins -> {short, whole, refused}.
 */
import { constants, createHash, generateKeyPairSync, privateDecrypt, randomBytes } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { ProgramControl } from './program-control.js';

const PLUGIN = 'caching_sha2_password\0';
/** Protocol 4.1, databases, transactions, salts of 20 octets, several results, methods by name. */
const CAPABILITIES = 0x000fa20f;
const NUL = Buffer.from([0]);
const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const [QUIT, QUERY, PREPARE, EXECUTE, CLOSE] = [1, 3, 22, 23, 25];

const control = new ProgramControl(['port', 'user', 'password']);
const user = control.text('user', 'shop');
const stored = sha256(sha256(Buffer.from(control.text('password', ''))));
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const statements: string[] = [];
const logins = { short: 0, whole: 0, refused: 0 };
let isRemembered = false;

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

function exclusiveOr(one: Uint8Array, other: Uint8Array): Buffer {
  return Buffer.from(one.map((octet, at) => octet ^ other[at % other.length]!));
}

class Conversation {
  readonly #socket: Socket;
  readonly #salt = Buffer.from(randomBytes(20).map((octet) => (octet % 94) + 33));
  #pending = Buffer.alloc(0);
  #step: 'login' | 'key' | 'password' | 'commands' = 'login';
  #statements = 0;
  readonly #prepared = new Map<number, string>();

  constructor(socket: Socket) {
    this.#socket = socket;
    const fixed = Buffer.alloc(31);
    fixed.writeUInt32LE(1, 0);
    this.#salt.copy(fixed, 4, 0, 8);
    fixed.writeUInt16LE(CAPABILITIES & 0xffff, 13);
    fixed[15] = 45;
    fixed.writeUInt16LE(CAPABILITIES >>> 16, 18);
    fixed[20] = this.#salt.length + 1;
    this.#say(0, Buffer.from('\x0a8.0.36\0'), fixed, this.#salt.subarray(8), NUL, Buffer.from(PLUGIN));
  }

  #say(sequence: number, ...parts: readonly Uint8Array[]): void {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(4);
    head.writeUIntLE(body.length, 0, 3);
    head[3] = sequence;
    this.#socket.write(Buffer.concat([head, body]));
  }

  hear(text: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, text]);
    while (this.#pending.length >= 4) {
      const end = 4 + this.#pending.readUIntLE(0, 3);
      if (this.#pending.length < end) return;
      const [sequence, body] = [this.#pending[3]!, this.#pending.subarray(4, end)];
      this.#pending = this.#pending.subarray(end);
      if (this.#step === 'login') this.#onLogin(sequence, body);
      else if (this.#step === 'key') this.#onKey(sequence, body);
      else if (this.#step === 'password') this.#onPassword(sequence, body);
      else this.#onCommand(body);
    }
  }

  #onLogin(sequence: number, body: Buffer): void {
    const userEnd = body.indexOf(0, 32);
    const proof = body.subarray(userEnd + 2, userEnd + 2 + body[userEnd + 1]!);
    const isKnown = body.toString('utf8', 32, userEnd) === user && body.includes(PLUGIN);
    // What the client proves is the SHA-256 of the password, which is stored as the SHA-256 of that.
    const once = proof.length === 32 ? exclusiveOr(proof, sha256(stored, this.#salt)) : NUL;
    if (!isKnown) this.#refuse(sequence);
    else if (!isRemembered) {
      this.#step = 'key';
      this.#say(sequence + 1, Buffer.from([1, 4]));
    } else if (sha256(once).equals(stored)) {
      logins.short += 1;
      this.#step = 'commands';
      this.#say(sequence + 1, Buffer.from([1, 3]));
      this.#say(sequence + 2, OK);
    } else this.#refuse(sequence);
  }

  #onKey(sequence: number, body: Buffer): void {
    this.#step = 'password';
    const key = Buffer.from(keys.publicKey.export({ type: 'spki', format: 'pem' }));
    if (body.length === 1 && body[0] === 2) this.#say(sequence + 1, Buffer.from([1]), key);
    else this.#refuse(sequence);
  }

  #onPassword(sequence: number, body: Buffer): void {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const said = exclusiveOr(privateDecrypt({ key: keys.privateKey, padding }, body), this.#salt);
    if (said.at(-1) !== 0 || !sha256(sha256(said.subarray(0, -1))).equals(stored)) {
      this.#refuse(sequence);
      return;
    }
    logins.whole += 1;
    isRemembered = true;
    this.#step = 'commands';
    this.#say(sequence + 1, OK);
  }

  #refuse(sequence: number): void {
    logins.refused += 1;
    this.#say(sequence + 1, Buffer.from([0xff, 0x15, 0x04]), Buffer.from('#28000Access denied'));
    this.#socket.end();
  }

  #onCommand(body: Buffer): void {
    const text = body.toString('utf8', 1);
    const number = body.length >= 5 ? body.readUInt32LE(1) : 0;
    if (body[0] === QUIT) this.#socket.end();
    else if (body[0] === CLOSE) this.#prepared.delete(number);
    else if (body[0] === PREPARE) {
      this.#statements += 1;
      this.#prepared.set(this.#statements, text);
      const answer = Buffer.alloc(12);
      answer.writeUInt32LE(this.#statements, 1);
      this.#say(1, answer);
    } else {
      if (body[0] === QUERY) statements.push(text);
      if (body[0] === EXECUTE) statements.push(`prepared: ${this.#prepared.get(number) ?? 'nothing'}`);
      this.#say(1, OK);
    }
  }
}

control.on('statements', () => statements);
control.on('logins', () => logins);
const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => {});
  const conversation = new Conversation(socket);
  socket.on('data', (text) => conversation.hear(text));
});
server.listen(control.number('port', 3306), () => control.ready());
