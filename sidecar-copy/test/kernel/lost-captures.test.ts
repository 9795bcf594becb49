/** Packets that the capture has missed, on a real kernel: exactly the turns that they belong to are lost, and connections go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, type LabProcess, type LoadReport } from '@trafficcopy/lab';
import type { CopyFigures } from '../../src/copy-figures.js';
import { CopyRig, ONLINE_PORT, requestLines } from '../kit/copy-rig.js';
import type { Loss } from '../kit/loss.js';

const LOSSY_COPY = fileURLToPath(new URL('../kit/lossy-copy.js', import.meta.url));
const TIMEOUT_MS = 60_000;

async function startLossyCopy(rig: CopyRig, flags: readonly string[]): Promise<LabProcess> {
  const args = [LOSSY_COPY, '--target', rig.lab.target.ipv4, ...flags];
  const copy = await rig.lab.online.start('lossy-copy', process.execPath, args, { withControl: true });
  await copy.ready();
  await eventually('it copies', TIMEOUT_MS, () => copy.ask<boolean>('isCopying'));
  return copy;
}

/** The figures when every session has ended, but for those whose end is missing in the capture: every turn is settled then. */
async function settled(copy: LabProcess): Promise<CopyFigures> {
  const isSettled = async (): Promise<CopyFigures | undefined> => {
    const endless = (await copy.ask<Loss[]>('losses')).filter(({ isFin }) => isFin).length;
    const figures = await copy.ask<CopyFigures>('figures');
    const { turnsPending, connectionsSeen } = figures.engine;
    return turnsPending === 0 && connectionsSeen > 0 && figures.sessionsOpen <= endless ? figures : undefined;
  };
  const account = async (): Promise<string> => JSON.stringify(await copy.ask('figures'));
  return eventually('every turn is settled', TIMEOUT_MS, isSettled, account);
}

for (const [which, lost] of [
  ['first', '/?1'],
  ['fifth', '/?5'],
  ['last', '/?9'],
] as const) {
  test(`one captured packet is missing, that of the ${which} of nine requests: this turn is lost, the others are delivered`, () =>
    CopyRig.with({}, async (rig) => {
      const copy = await startLossyCopy(rig, ['--lose', `GET ${lost} `]);
      const uris = Array.from({ length: 9 }, (_, index) => `/?${index + 1}`);
      await rig.request(uris);
      const { engine } = await settled(copy);
      await copy.ask('close');
      const arrived = [...(await rig.stopIntercept()).values()].flat().flatMap(requestLines);
      assert.deepEqual(
        arrived,
        uris.filter((uri) => uri !== lost),
      );
      assert.equal((await copy.ask<Loss[]>('losses')).length, 1);
      assert.equal(engine.turnsLost.captureGap, 1);
      assert.equal(engine.turnsDelivered, 8);
      assert.equal(engine.terminal.captureGap, 1);
      assert.equal(engine.sessionsStarted, 1, 'the connection goes on');
    }));
}

/** The turns that missing packets hit, by what can be known of them; each request of the load is one packet. */
function hitsOf(losses: readonly Loss[], firstUriOf: (client: string) => string | undefined): Set<string> {
  const hits = new Set<string>();
  for (const { client, isSyn, payload } of losses) {
    for (const uri of requestLines(payload)) hits.add(uri);
    // A connection whose beginning is missing is joined at the turn after its first.
    const first = isSyn ? firstUriOf(client) : undefined;
    if (first !== undefined) hits.add(first);
  }
  return hits;
}

function lossesOf(losses: readonly Loss[], client: string, uris: readonly string[]): string {
  return losses
    .filter((loss) => loss.client === client)
    .map(({ isSyn, isFin, payload }) => {
      const [uri] = requestLines(payload);
      return uri === undefined ? (isSyn ? 'SYN' : isFin ? 'FIN' : 'ACK') : `number ${uris.indexOf(uri) + 1}`;
    })
    .join(', ');
}

test('1 % of the captured packets are missing at random: the turns that they belong to are lost, and no other', (context) =>
  CopyRig.with({}, async (rig) => {
    const [connections, requests, seed] = [40, 100, Date.now() % 2 ** 31];
    context.diagnostic(`seed ${seed}`);
    const copy = await startLossyCopy(rig, ['--share', '0.01', '--seed', String(seed)]);
    const load = await rig.lab.client.program('load-generator', {
      ...{ host: rig.lab.online.ipv4, port: ONLINE_PORT, path: '/?#', rate: 2_000 },
      ...{ connections, requests, 'connections-total': connections },
    });
    const report = await load.ask<LoadReport>('run');
    assert.deepEqual(report.errors, {});
    const { engine } = await settled(copy);
    const losses = await copy.ask<Loss[]>('losses');
    await copy.ask('close');
    const arrived = [...(await rig.stopIntercept()).values()].flat().flatMap(requestLines);
    const asked = (await rig.online.requests()).map(({ client, uri }) => ({ client: client.replace(':', ' '), uri }));
    const hits = hitsOf(losses, (client) => asked.find((request) => request.client === client)?.uri);
    context.diagnostic(`${losses.length} packets missing, ${hits.size} turns hit, ${engine.turnsLost.captureGap} lost`);
    assert.ok(hits.size > 0, 'turns were hit');
    assert.equal(asked.length, connections * requests);
    const came = new Set(arrived);
    const wrong = asked.filter(({ uri }) => came.has(uri) === hits.has(uri));
    const explained = wrong.slice(0, 10).map(({ client, uri }) => {
      const uris = asked.filter((request) => request.client === client).map((request) => request.uri);
      return `${uri}, number ${uris.indexOf(uri) + 1} of ${client}, whose missing packets are ${lossesOf(losses, client, uris)}`;
    });
    assert.deepEqual(explained, [], `${wrong.length} turns are lost that were not hit, or the other way round`);
    assert.equal(came.size, arrived.length, 'no turn came twice');
    assert.equal(engine.turnsDelivered, arrived.length);
    // Turns that are missing one behind the other are one gap, in which nobody can count them.
    assert.ok(engine.turnsLost.captureGap <= hits.size);
    assert.equal(engine.turnsCaptured, engine.turnsDelivered + engine.turnsLost.captureGap);
  }));
