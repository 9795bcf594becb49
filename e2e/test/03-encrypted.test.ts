import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FRESH_ID_START, imageOf, Stage, type TrafficCopyResource } from '../src/index.js';

/** Stands in for a mesh's proxy: ends TLS on 8443, speaks plaintext to the application over lo. */
const PROXY = {
  name: 'istio-proxy',
  image: imageOf('trafficcopy-e2e'),
  imagePullPolicy: 'IfNotPresent',
  command: ['nginx', '-c', '/etc/nginx/e2e/ends-tls.conf', '-g', 'daemon off;'],
  readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
};

let stage: Stage;
let copy: TrafficCopyResource;

before(async () => {
  stage = await Stage.set('encrypted', {
    ...{ port: 8443, tls: true },
    source: { replicas: 2, port: 8443, containers: [PROXY] },
  });
});
after(() => stage?.end());

test('a pod whose proxy ends TLS is copied from the leg between proxy and application, exactly once', async () => {
  copy = await stage.copy();
  await copy.untilCopying(2, 20_000);
  // The proxy has no connection to the application yet; of one that rests now, the first request could be half of one.
  await stage.load(200);
  const marks = [0, FRESH_ID_START];
  await stage.untilAnswered(2000, 60_000);
  await stage.stopLoad();
  await stage.expectExactlyOnce(stage.target, marks);
  await stage.expectClientsUndisturbed();
});

test('a source port that carries TLS is not copied, and a condition says why', async () => {
  await copy.remove();
  const before = await stage.target.totals();
  await stage.reload(100);
  const wire = await stage.copy(
    {
      ...{ capture: 'Wire' },
      targets: [{ ...stage.toTarget(), ports: [{ source: 8443, target: 8080 }] }],
    },
    'wire',
  );
  const degraded = await wire.untilCondition('Degraded', 'True', 30_000, 'EncryptedTraffic');
  assert.match(degraded.message, /8443/);
  assert.match(degraded.message, /Loopback/);
  assert.deepEqual(await stage.target.totals(), before);
});
