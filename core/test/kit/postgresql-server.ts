/**
 * A PostgreSQL server as far as logins and the names of statements go, written from the protocol's description (and RFC 5802) and independent of the code under test: it checks
 * proofs with what a server stores of a password.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

export interface PostgresqlServerOptions {
  readonly users: Readonly<Record<string, string>>;
  readonly method: 'trust' | 'password' | 'md5' | 'scram-sha-256';
  /** Its own proof is wrong: it does not know the password. */
  readonly isImpostor?: boolean;
  /** The kind of login that it asks for, in the place of all that. */
  readonly asksFor?: number;
}

interface Conversation {
  pending: Buffer;
  isStarted: boolean;
  user: string;
  phase: 'password' | 'md5' | 'scram-first' | 'scram-final' | 'in';
  clientFirst: string;
  serverFirst: string;
  readonly statements: Set<string>;
}

const MD5_SALT = Buffer.from([1, 2, 3, 4]);
const SCRAM_SALT = Buffer.from('a salt of the test');

const hash = (name: string, data: Uint8Array | string): Buffer => createHash(name).update(data).digest();
const hmac = (key: Uint8Array, data: string): Buffer => createHmac('sha256', key).update(data).digest();

export function message(type: string, body: Uint8Array | string): Buffer {
  const octets = Buffer.from(body as string);
  const head = Buffer.alloc(type.length + 4);
  head.write(type, 'latin1');
  head.writeUInt32BE(octets.length + 4, type.length);
  return Buffer.concat([head, octets]);
}

const request = (kind: number, data: Uint8Array | string = ''): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(kind);
  return message('R', Buffer.concat([head, Buffer.from(data as string)]));
};

export class PostgresqlServer {
  readonly options: PostgresqlServerOptions;
  /** "login shop orders", "query SELECT 1", "parse s1", "bind s1", "sync". */
  readonly log: string[] = [];
  readonly #conversations = new Map<object, Conversation>();

  constructor(options: PostgresqlServerOptions) {
    this.options = options;
  }

  greet(connection: object): Uint8Array {
    const conversation = { pending: Buffer.alloc(0), isStarted: false, user: '', phase: 'password' } as const;
    this.#conversations.set(connection, { ...conversation, clientFirst: '', serverFirst: '', statements: new Set() });
    return new Uint8Array(0);
  }

  reply(connection: object, text: Uint8Array): Uint8Array {
    const conversation = this.#conversations.get(connection)!;
    conversation.pending = Buffer.concat([conversation.pending, text]);
    const answers: Buffer[] = [];
    for (;;) {
      const { pending, isStarted } = conversation;
      const at = isStarted ? 1 : 0;
      if (pending.length < at + 4) break;
      const end = at + pending.readUInt32BE(at);
      if (pending.length < end) break;
      conversation.pending = pending.subarray(end);
      const body = pending.subarray(at + 4, end);
      answers.push(
        isStarted
          ? this.#onMessage(conversation, String.fromCharCode(pending[0]!), body)
          : this.#onStart(conversation, body),
      );
    }
    return Buffer.concat(answers);
  }

  #onStart(conversation: Conversation, body: Buffer): Buffer {
    conversation.isStarted = true;
    const words = body.toString('utf8', 4).split('\0');
    const parameters = new Map<string, string>();
    for (let index = 0; words[index]; index += 2) parameters.set(words[index]!, words[index + 1]!);
    conversation.user = parameters.get('user') ?? '';
    this.log.push(`start ${[...parameters].map(([name, value]) => `${name}=${value}`).join(' ')}`);
    if (this.options.asksFor !== undefined) return request(this.options.asksFor);
    switch (this.options.method) {
      case 'trust':
        return this.#admit(conversation);
      case 'password':
        return request(3);
      case 'md5':
        conversation.phase = 'md5';
        return request(5, MD5_SALT);
      default:
        conversation.phase = 'scram-first';
        return request(10, 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0');
    }
  }

  #admit(conversation: Conversation): Buffer {
    conversation.phase = 'in';
    this.log.push(`login ${conversation.user}`);
    const status = message('S', 'server_version\x0015.1\0');
    return Buffer.concat([request(0), status, message('K', Buffer.alloc(8)), message('Z', 'I')]);
  }

  #deny({ user }: Conversation): Buffer {
    this.log.push(`denied ${user}`);
    return message('E', `SFATAL\0C28P01\0Mpassword authentication failed for user "${user}"\0\0`);
  }

  #onMessage(conversation: Conversation, type: string, body: Buffer): Buffer {
    if (conversation.phase !== 'in')
      return type === 'p' ? this.#onPassword(conversation, body) : this.#deny(conversation);
    const text = body.toString('utf8');
    const [first = '', second = ''] = text.split('\0');
    switch (type) {
      case 'Q':
        this.log.push(`query ${first}`);
        return Buffer.concat([message('C', 'SELECT 1\0'), message('Z', 'I')]);
      case 'P':
        conversation.statements.add(first);
        this.log.push(`parse ${first}`);
        return message('1', '');
      case 'B':
        this.log.push(`bind ${conversation.statements.has(second) ? second : `unknown ${second}`}`);
        return message('2', '');
      case 'S':
        return message('Z', 'I');
      case 'X':
        this.log.push('end');
        return Buffer.alloc(0);
      default:
        this.log.push(`${type} ${first}`);
        return Buffer.alloc(0);
    }
  }

  #onPassword(conversation: Conversation, body: Buffer): Buffer {
    const { user, phase } = conversation;
    const password = this.options.users[user];
    if (password === undefined) return this.#deny(conversation);
    const said = body.toString('utf8').split('\0')[0]!;
    if (phase === 'password') return said === password ? this.#admit(conversation) : this.#deny(conversation);
    if (phase === 'md5') {
      const stored = hash('md5', password + user).toString('hex');
      const expected = `md5${hash('md5', Buffer.concat([Buffer.from(stored), MD5_SALT])).toString('hex')}`;
      return said === expected ? this.#admit(conversation) : this.#deny(conversation);
    }
    return phase === 'scram-first'
      ? this.#onClientFirst(conversation, body)
      : this.#onClientFinal(conversation, body, password);
  }

  #onClientFirst(conversation: Conversation, body: Buffer): Buffer {
    const end = body.indexOf(0);
    const data = body.toString('utf8', end + 5);
    if (body.toString('utf8', 0, end) !== 'SCRAM-SHA-256' || !data.startsWith('n,,')) return this.#deny(conversation);
    conversation.clientFirst = data.slice(3);
    const nonce = /r=(.*)$/.exec(data)![1]!;
    conversation.serverFirst = `r=${nonce}of+the/server,s=${SCRAM_SALT.toString('base64')},i=4096`;
    conversation.phase = 'scram-final';
    return request(11, conversation.serverFirst);
  }

  #onClientFinal(conversation: Conversation, body: Buffer, password: string): Buffer {
    const text = body.toString('utf8');
    const withoutProof = text.slice(0, text.lastIndexOf(',p='));
    const proof = Buffer.from(text.slice(text.lastIndexOf(',p=') + 3), 'base64');
    const salted = pbkdf2Sync(password, SCRAM_SALT, 4096, 32, 'sha256');
    const storedKey = hash('sha256', hmac(salted, 'Client Key'));
    const authMessage = `${conversation.clientFirst},${conversation.serverFirst},${withoutProof}`;
    const signature = hmac(storedKey, authMessage);
    const clientKey = Buffer.from(proof.map((octet, at) => octet ^ signature[at]!));
    if (!hash('sha256', clientKey).equals(storedKey)) return this.#deny(conversation);
    const serverKey = hmac(salted, this.options.isImpostor === true ? 'Guessed Key' : 'Server Key');
    return Buffer.concat([
      request(12, `v=${hmac(serverKey, authMessage).toString('base64')}`),
      this.#admit(conversation),
    ]);
  }
}
