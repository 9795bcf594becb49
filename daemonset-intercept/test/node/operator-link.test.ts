import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { InterceptReport, InterceptSettings } from '@trafficcopy/core';
import { eventually } from '@trafficcopy/lab';
import { type ClientCredentials, ownIdentity, ProgramLog, StatusLine } from '@trafficcopy/runtime';
import { OperatorLink } from '../../src/node/operator-link.js';
import { StubOperator } from '../kit/stub-operator.js';

const DEADLINE_MS = 20_000;
const REPORT: InterceptReport = {
  kind: 'intercept',
  revision: 1,
  pods: [],
  flows: 0,
  packetsInjected: 7,
  responses: 0,
  queueDrops: 0,
  recordsRefused: {},
  cpuUs: 0,
  rssBytes: 0,
};

describe('the link to the operator', () => {
  let operator: StubOperator;
  let link: OperatorLink;
  let credentials: ClientCredentials[];
  let settings: InterceptSettings[];

  beforeEach(async () => {
    operator = await StubOperator.start();
    credentials = [];
    settings = [];
    const config = { logFile: undefined, logLevel: 'silent' } as const;
    link = new OperatorLink({
      operator: { host: '127.0.0.1', port: operator.port },
      joinFile: operator.joinFile,
      authorityFile: operator.authorityFile,
      nodeName: 'node-1',
      hello: { role: 'intercept', name: 'node-1', delivery: 'tunnel', capabilities: [], targets: [] },
      logger: new ProgramLog({ program: 'intercept', config, statusLine: new StatusLine() }).logger,
      onCredentials: async (granted) => {
        credentials.push(granted);
      },
      onUp: () => {},
      onSettings: (received) => settings.push(received),
      onStop: () => {},
    });
  });

  afterEach(async () => {
    await link.close();
    await operator.close();
  });

  const up = (): Promise<true> => eventually('it is connected', DEADLINE_MS, () => operator.connection !== undefined);

  it('joins under the name of the node, takes settings, reports', async () => {
    operator.want([]);
    link.start();
    await up();
    assert.equal(ownIdentity(credentials[0]!).name, 'node-1');
    await eventually('the settings are there', DEADLINE_MS, () => settings.length === 1);
    assert.equal(link.report(REPORT), true);
    await eventually('the report is there', DEADLINE_MS, () => operator.report?.packetsInjected === 7);
  });

  it('a token that is refused is tried again, and the one that replaced it is read', async () => {
    operator.writeFiles('an old token');
    link.start();
    await eventually('it is refused', DEADLINE_MS, () => operator.joinsRefused > 0);
    assert.equal(link.report(REPORT), false);
    operator.writeFiles();
    await up();
    assert.equal(operator.joins, 1);
  });

  it('a follower sends it to the leader', async () => {
    const leader = await StubOperator.start(operator);
    operator.leaderPort = leader.port;
    try {
      link.start();
      await eventually('the leader is connected', DEADLINE_MS, () => leader.connection !== undefined);
      assert.deepEqual([operator.joins, leader.joins], [1, 0]);
    } finally {
      await link.close();
      await leader.close();
    }
  });

  it('an operator that comes back is connected again without joining; one with another authority is joined anew', async () => {
    link.start();
    await up();
    await operator.stop();
    await operator.listen();
    await up();
    assert.equal(operator.joins, 1);
    await operator.stop();
    await operator.changeAuthority();
    operator.writeFiles();
    await operator.listen();
    await up();
    assert.equal(operator.joins, 2);
    assert.equal(credentials.at(-1)!.authority, operator.authority.certificate);
  });

  it('can be closed at any moment', async () => {
    await operator.stop();
    link.start();
    await link.close();
    assert.deepEqual(credentials, []);
  });
});
