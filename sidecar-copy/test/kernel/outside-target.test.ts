/** A target outside the cluster: its intercept was started by hand, knows no operator, and lets copies in by a token of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TRAFFIC_COPY, TrafficCopy } from '@trafficcopy/lab';
import { hashesAt, load, server } from '../kit/managed-load.js';
import { lostTurns, ManagedRig, ONLINE_PORT, TARGET_PORT } from '../kit/managed-rig.js';

const NEEDS_ROOT = { skip: process.geteuid?.() === 0 ? false : 'needs root' };
const VARIABLE = 'TRAFFICCOPY_INTERCEPT_TOKEN_A';

/** An intercept on the host `outside`, and a token of it for any number of copies. */
async function outsideToken(rig: ManagedRig): Promise<string> {
  const { stateDirectory } = await TrafficCopy.intercept(rig.lab.host('outside'), { name: 'intercept' });
  const words = ['intercept', '--new-token', '--reusable', '--state', stateDirectory];
  const printed = await rig.lab.host('outside').expect(TRAFFIC_COPY, words);
  return /token=(tc1\.\S+)/.exec(printed)?.[1] ?? assert.fail(printed);
}

function targets(rig: ManagedRig) {
  const outside = { ...rig.endpoint(rig.lab.host('outside')), tokenVariable: VARIABLE };
  return [
    { name: 'outside', endpoints: [outside] },
    { name: 'inside', endpoints: [rig.endpoint(rig.lab.target)] },
  ];
}

for (const delivery of ['tunnel', 'direct'] as const) {
  test(
    `${delivery}: a target outside and one inside get everything; the next copy joins with the same token`,
    NEEDS_ROOT,
    () =>
      ManagedRig.with(
        async (rig) => {
          const token = await outsideToken(rig);
          const online = await server(rig.lab.online, ONLINE_PORT);
          const [outside, inside] = [
            await server(rig.lab.host('outside'), TARGET_PORT),
            await server(rig.lab.target, TARGET_PORT),
          ];
          await rig.configure({ delivery, mappings: [{ onlinePort: ONLINE_PORT, targets: targets(rig) }] });
          const copy = await rig.startCopy([], { [VARIABLE]: token });
          const { problems } = await rig.inForce();
          assert.deepEqual(problems, []);
          const { requests } = await load(rig, { connections: 5, requests: 10, 'connections-total': 10 });
          const settled = await rig.settled();
          assert.deepEqual([settled.turnsDelivered, lostTurns(settled)], [2 * requests, 0]);
          assert.deepEqual(await hashesAt(outside), await hashesAt(online));
          assert.deepEqual(await hashesAt(inside), await hashesAt(online));
          await copy.stop('SIGKILL');
          await rig.startCopy([], { [VARIABLE]: token }, 'copy-2');
          await rig.reportThat('the next one is at work', ({ state, elapsedMs, endpoints }) => {
            return state === 'copying' && elapsedMs < settled.elapsedMs && endpoints.every(({ isUp }) => isUp);
          });
        },
        ['outside'],
      ),
  );
}

test(
  'without its token the target outside gets nothing, it is told why, and the one inside gets everything',
  NEEDS_ROOT,
  () =>
    ManagedRig.with(
      async (rig) => {
        const online = await server(rig.lab.online, ONLINE_PORT);
        const inside = await server(rig.lab.target, TARGET_PORT);
        await outsideToken(rig);
        await rig.configure({ mappings: [{ onlinePort: ONLINE_PORT, targets: targets(rig) }] });
        await rig.startCopy();
        const { endpoints, state } = await rig.reportThat('one is up, the other has no token', ({ endpoints }) => {
          return endpoints.some(({ isUp }) => isUp) && endpoints.some(({ down }) => down?.code === 'token');
        });
        assert.equal(state, 'copying');
        assert.match(endpoints.find(({ isUp }) => !isUp)?.down?.message ?? '', /Secret or its key was not there/);
        const { requests } = await load(rig, { connections: 5, requests: 10, 'connections-total': 10 });
        // What is for the one outside waits for it.
        await rig.reportThat('the one inside has everything', ({ turnsDelivered }) => turnsDelivered === requests);
        assert.deepEqual(await hashesAt(inside), await hashesAt(online));
      },
      ['outside'],
    ),
);

test('a token of another intercept is refused, and told', NEEDS_ROOT, () =>
  ManagedRig.with(
    async (rig) => {
      const token = await outsideToken(rig);
      const other = { ...rig.endpoint(rig.second), tokenVariable: VARIABLE };
      await rig.configure({
        mappings: [{ onlinePort: ONLINE_PORT, targets: [{ name: 'other', endpoints: [other] }] }],
      });
      await rig.startCopy([], { [VARIABLE]: token });
      const { endpoints } = await rig.reportThat(
        'it is refused',
        ({ endpoints }) => endpoints[0]?.down?.code === 'refused',
      );
      assert.match(endpoints[0]?.down?.message ?? '', /its authority does not have the key that the token pins/);
    },
    ['outside'],
  ),
);
