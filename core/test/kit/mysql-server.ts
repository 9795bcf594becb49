/**
 * A MySQL server as far as logins and prepared statements go, written from the protocol's description and independent of the code under test: it checks proofs as servers do, with what
 * they store of a password.
 */
import { constants, createHash, generateKeyPairSync, privateDecrypt } from 'node:crypto';

export type Method = 'mysql_native_password' | 'caching_sha2_password';

export interface MysqlServerOptions {
  readonly users: Readonly<Record<string, string>>;
  /** What its greeting proposes. */
  readonly proposes?: Method;
  /** What it wants of its users: another one makes it switch. */
  readonly method?: Method;
  /** caching_sha2_password: it has seen the users' passwords before. */
  readonly isCached?: boolean;
  /** The number of the first statement of a connection. */
  readonly firstStatement?: number;
}

interface Conversation {
  readonly salt: Buffer;
  pending: Buffer;
  phase: 'login' | 'proof' | 'key' | 'password' | 'commands';
  user: string;
  proofSalt: Buffer;
  nextStatement: number;
  readonly statements: Map<number, string>;
}

const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const NUL = Buffer.from([0]);

const sha = (name: 'sha1' | 'sha256', ...parts: Uint8Array[]): Buffer =>
  createHash(name).update(Buffer.concat(parts)).digest();
const xor = (one: Uint8Array, other: Uint8Array): Buffer => Buffer.from(one.map((octet, at) => octet ^ other[at]!));

export const packet = (sequence: number, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([body.length & 255, (body.length >> 8) & 255, body.length >> 16, sequence]), body]);

const KEYS = generateKeyPairSync('rsa', { modulusLength: 2048 });

export class MysqlServer {
  readonly options: MysqlServerOptions;
  /** What was done, in order: "login shop caching_sha2_password", "query SELECT 1", "execute INSERT …". */
  readonly log: string[] = [];
  readonly #conversations = new Map<object, Conversation>();
  #salts = 0;

  constructor(options: MysqlServerOptions) {
    this.options = options;
  }

  greet(connection: object): Uint8Array {
    this.#salts += 1;
    const salt = sha('sha1', Buffer.from(`salt ${this.#salts}`)).map((octet) => (octet % 90) + 33) as Buffer;
    this.#conversations.set(connection, {
      salt,
      pending: Buffer.alloc(0),
      phase: 'login',
      user: '',
      proofSalt: salt,
      nextStatement: this.options.firstStatement ?? 1,
      statements: new Map(),
    });
    const capabilities = 0x81bff7df | 0;
    const fixed = Buffer.alloc(31);
    fixed.writeUInt32LE(7, 0);
    salt.copy(fixed, 4, 0, 8);
    fixed.writeUInt16LE(capabilities & 0xffff, 13);
    fixed[15] = 45;
    fixed.writeUInt16LE(capabilities >>> 16, 18);
    fixed[20] = 21;
    const version = Buffer.from('\x0a8.0.36\0');
    const plugin = Buffer.from(`${this.options.proposes ?? 'mysql_native_password'}\0`);
    return packet(0, Buffer.concat([version, fixed, salt.subarray(8), NUL, plugin]));
  }

  reply(connection: object, text: Uint8Array): Uint8Array {
    const conversation = this.#conversations.get(connection)!;
    conversation.pending = Buffer.concat([conversation.pending, text]);
    const answers: Buffer[] = [];
    for (;;) {
      const { pending } = conversation;
      if (pending.length < 4) break;
      const end = 4 + pending.readUIntLE(0, 3);
      if (pending.length < end) break;
      conversation.pending = pending.subarray(end);
      answers.push(this.#onPacket(conversation, pending[3]!, pending.subarray(4, end)));
    }
    return Buffer.concat(answers);
  }

  #onPacket(conversation: Conversation, sequence: number, body: Buffer): Buffer {
    switch (conversation.phase) {
      case 'login':
        return this.#onLogin(conversation, sequence, body);
      case 'proof':
        return this.#onProof(conversation, sequence, body);
      case 'key':
        if (body.length !== 1 || body[0] !== 2) return this.#deny(sequence, 'asked for no key');
        conversation.phase = 'password';
        return packet(sequence + 1, Buffer.concat([Buffer.from([1]), Buffer.from(pem())]));
      case 'password':
        return this.#onPassword(conversation, sequence, body);
      default:
        return this.#onCommand(conversation, body);
    }
  }

  #onLogin(conversation: Conversation, sequence: number, body: Buffer): Buffer {
    if (sequence !== 1) return this.#deny(sequence, `a login with number ${sequence}`);
    const capabilities = body.readUInt32LE(0);
    const userEnd = body.indexOf(0, 32);
    conversation.user = body.toString('utf8', 32, userEnd);
    const proof = body.subarray(userEnd + 2, userEnd + 2 + body[userEnd + 1]!);
    let at = userEnd + 2 + proof.length;
    if (capabilities & 8) {
      const end = body.indexOf(0, at);
      this.log.push(`database ${body.toString('utf8', at, end)}`);
      at = end + 1;
    }
    const plugin = body.toString('utf8', at, body.indexOf(0, at));
    const wanted = this.options.method ?? this.options.proposes ?? 'mysql_native_password';
    if (plugin === wanted) return this.#onProof(conversation, sequence, proof);
    conversation.phase = 'proof';
    conversation.proofSalt = Buffer.from([...conversation.salt].reverse());
    const request = [Buffer.from([0xfe]), Buffer.from(`${wanted}\0`), conversation.proofSalt, NUL];
    return packet(sequence + 1, Buffer.concat(request));
  }

  #onProof(conversation: Conversation, sequence: number, proof: Buffer): Buffer {
    const { user, proofSalt } = conversation;
    const method = this.options.method ?? this.options.proposes ?? 'mysql_native_password';
    const password = this.options.users[user];
    if (password === undefined) return this.#deny(sequence, user);
    if (password === '') return proof.length === 0 ? this.#admit(conversation, sequence) : this.#deny(sequence, user);
    if (method === 'mysql_native_password') {
      const stored = sha('sha1', sha('sha1', Buffer.from(password)));
      const once = proof.length === 20 ? xor(proof, sha('sha1', proofSalt, stored)) : Buffer.alloc(0);
      return sha('sha1', once).equals(stored) ? this.#admit(conversation, sequence) : this.#deny(sequence, user);
    }
    if (this.options.isCached !== true) {
      conversation.phase = 'key';
      return packet(sequence + 1, Buffer.from([1, 4]));
    }
    const stored = sha('sha256', sha('sha256', Buffer.from(password)));
    const once = proof.length === 32 ? xor(proof, sha('sha256', stored, proofSalt)) : Buffer.alloc(0);
    if (!sha('sha256', once).equals(stored)) return this.#deny(sequence, user);
    return Buffer.concat([packet(sequence + 1, Buffer.from([1, 3])), this.#admit(conversation, sequence + 1)]);
  }

  #onPassword(conversation: Conversation, sequence: number, body: Buffer): Buffer {
    const { user, proofSalt } = conversation;
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const masked = privateDecrypt({ key: KEYS.privateKey, padding, oaepHash: 'sha1' }, body);
    const said = masked.map((octet, at) => octet ^ proofSalt[at % proofSalt.length]!);
    const isRight = Buffer.from(said).equals(Buffer.from(`${this.options.users[user]}\0`));
    return isRight ? this.#admit(conversation, sequence) : this.#deny(sequence, user);
  }

  #admit(conversation: Conversation, sequence: number): Buffer {
    conversation.phase = 'commands';
    this.log.push(`login ${conversation.user}`);
    return packet(sequence + 1, OK);
  }

  #deny(sequence: number, user: string): Buffer {
    this.log.push(`denied ${user}`);
    const message = Buffer.from(`#28000Access denied for user '${user}'`);
    return packet(sequence + 1, Buffer.concat([Buffer.from([0xff, 0x15, 0x04]), message]));
  }

  #onCommand(conversation: Conversation, body: Buffer): Buffer {
    const { statements } = conversation;
    const text = body.toString('utf8', 1);
    const number = body.length >= 5 ? body.readUInt32LE(1) : 0;
    switch (body[0]) {
      case 1:
        this.log.push('quit');
        return Buffer.alloc(0);
      case 3:
        this.log.push(`query ${text}`);
        return packet(1, OK);
      case 22: {
        if (text.startsWith('WRONG'))
          return packet(1, Buffer.concat([Buffer.from([0xff, 0x28, 0x04]), Buffer.from('#42000wrong')]));
        statements.set(conversation.nextStatement, text);
        this.log.push(`prepare ${text}`);
        const answer = Buffer.alloc(12);
        answer.writeUInt32LE(conversation.nextStatement, 1);
        conversation.nextStatement += 1;
        return packet(1, answer);
      }
      case 23:
        this.log.push(`execute ${statements.get(number) ?? `unknown ${number}`}`);
        return packet(1, OK);
      case 25:
        this.log.push(`close ${statements.get(number) ?? `unknown ${number}`}`);
        statements.delete(number);
        return Buffer.alloc(0);
      default:
        this.log.push(`command ${body[0]}`);
        return packet(1, OK);
    }
  }
}

function pem(): string {
  return KEYS.publicKey.export({ type: 'spki', format: 'pem' }).toString();
}
