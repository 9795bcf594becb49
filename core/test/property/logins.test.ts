/** Sessions with a protocol module: however the client's octets are cut and packets are lost, the target does what online did, once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Credential } from '../../src/protocol/credential.js';
import { MYSQL } from '../../src/protocol/mysql/mysql.js';
import { POSTGRESQL } from '../../src/protocol/postgresql/postgresql.js';
import type { Protocol } from '../../src/protocol/protocol.js';
import type { TargetBehaviour } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { DIGESTS } from '../kit/digests.js';
import { MysqlServer, packet } from '../kit/mysql-server.js';
import { message, PostgresqlServer } from '../kit/postgresql-server.js';
import { Random } from '../kit/random.js';
import { Rig } from '../kit/rig.js';

const CREDENTIALS: readonly Credential[] = [
  { user: 'shop', targetUser: 'shop', password: 'of the target', database: '', collation: 0 },
];
const USERS = { shop: 'of the target' };

interface Setting {
  readonly protocol: Protocol;
  readonly server: () => NonNullable<TargetBehaviour['server']> & { readonly log: string[] };
  /** What the client says, and how much it has heard of online before each. */
  readonly turns: readonly (readonly [text: Uint8Array, heard: number])[];
  readonly log: readonly string[];
}

function mysqlSetting(): Setting {
  const fixed = Buffer.alloc(32);
  fixed.writeUInt32LE(0x000fa285, 0);
  const login = packet(
    1,
    Buffer.concat([fixed, Buffer.from('shop\0\x14'), Buffer.alloc(20, 5), Buffer.from('mysql_native_password\0')]),
  );
  const command = (code: number, text: string): Buffer =>
    packet(0, Buffer.concat([Buffer.from([code]), Buffer.from(text, 'latin1')]));
  const large = `INSERT ${'x'.repeat(9000)}`;
  return {
    protocol: MYSQL,
    server: () => new MysqlServer({ users: USERS, proposes: 'caching_sha2_password', firstStatement: 40 }),
    turns: [
      [login, 81],
      [packet(3, Buffer.alloc(20, 6)), 44],
      [command(3, 'SELECT 1'), 11],
      [command(22, 'INSERT a'), 11],
      [command(23, '\x01\0\0\0 and so on'), 16],
      [Buffer.concat([command(23, '\x01\0\0\0 again'), command(3, large)]), 11],
      [command(25, '\x01\0\0\0'), 22],
    ],
    log: [
      'login shop',
      'query SELECT 1',
      'prepare INSERT a',
      'execute INSERT a',
      'execute INSERT a',
      `query ${large}`,
      'close INSERT a',
    ],
  };
}

function postgresqlSetting(): Setting {
  const start = message('', Buffer.concat([Buffer.from([0, 3, 0, 0]), Buffer.from('user\0shop\0database\0d\0\0')]));
  const large = `INSERT ${'x'.repeat(9000)}`;
  const batch = [message('P', 's\0SELECT 2\0\0\0'), message('B', '\0s\0\0\0\0\0\0\0'), message('S', '')];
  return {
    protocol: POSTGRESQL,
    server: () => new PostgresqlServer({ users: USERS, method: 'scram-sha-256' }),
    turns: [
      [start, 0],
      [message('p', 'md5 for online\0'), 13],
      [message('Q', 'SELECT 1\0'), 80],
      [Buffer.concat(batch), 20],
      [message('Q', `${large}\0`), 20],
    ],
    log: ['start user=shop database=d', 'login shop', 'query SELECT 1', 'parse s', 'bind s', `query ${large}`],
  };
}

function replay(
  setting: Setting,
  seed: number,
  lossPercent: number,
  cut: number,
): { readonly rig: Rig; readonly log: string[] } {
  const random = new Random(seed);
  const loses = (): boolean => random.below(100) < lossPercent;
  const server = setting.server();
  const byPort = new Map([[80, { protocol: setting.protocol, credentials: CREDENTIALS }]]);
  const protocols = { byPort, digests: DIGESTS, nonceKey: new Uint8Array(32) };
  const rig = new Rig({ protocols, responseTimeoutMs: 60_000 }, { server, lose: loses, loseAnswer: loses });
  const client = new Client();
  rig.capture(client.syn(), client.acknowledge());
  for (const [text, heard] of setting.turns) {
    client.hear(heard);
    for (let at = 0; at < text.length; ) {
      const end = Math.min(text.length, at + 1 + random.below(cut));
      // PSH stands at the end of what a client has to say.
      const isLast = end === text.length;
      rig.capture(isLast ? client.send(text.subarray(at, end)) : client.sendPart(text.subarray(at, end)));
      at = end;
    }
    rig.wait(random.below(30));
  }
  rig.wait(50_000);
  rig.capture(client.fin());
  rig.wait(400_000);
  rig.checkEnd();
  return { rig, log: server.log };
}

describe('a session with a module', () => {
  for (const [name, setting] of [
    ['MySQL', mysqlSetting()],
    ['PostgreSQL', postgresqlSetting()],
  ] as const) {
    it(`${name}: whatever is cut and lost, each statement is done once and in order`, () => {
      fc.assert(
        fc.property(
          fc.nat(),
          fc.integer({ min: 0, max: 15 }),
          fc.integer({ min: 30, max: 3000 }),
          (seed, lossPercent, cut) => {
            const { rig, log } = replay(setting, seed, lossPercent, cut);
            assert.deepEqual(rig.lost(), {});
            assert.deepEqual(log, setting.log);
            assert.ok(rig.engine.counters.turnsDelivered >= setting.turns.length);
          },
        ),
        { numRuns: 25 },
      );
    });
  }
});
