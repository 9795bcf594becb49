// What `helm test` runs in the operator's image: asks each part of the installation for an answer.
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';

const TIMEOUT_MS = 5000;
const { NAMESPACE } = process.env;
const operator = `trafficcopy-operator.${NAMESPACE}.svc`;
const webhook = `trafficcopy-webhook.${NAMESPACE}.svc`;

const checks = {
  'the operator knows all TrafficCopies, and is ready': () =>
    ask(httpRequest, { host: operator, port: 8080, path: '/readyz' }),
  'the operator listens for copies': () => reach(operator, 36524),
  'the webhook lets a pod pass that nobody wants to copy': async () => {
    const uid = 'helm-test';
    const review = {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: { uid, operation: 'CREATE', namespace: NAMESPACE, object: { metadata: {}, spec: { containers: [] } } },
    };
    const text = await ask(
      request,
      {
        host: webhook,
        port: 443,
        path: '/inject/00000000-0000-0000-0000-000000000000',
        method: 'POST',
        ca: readFileSync('/var/run/trafficcopy/ca.crt'),
        headers: { 'content-type': 'application/json' },
      },
      JSON.stringify(review),
    );
    const { response } = JSON.parse(text);
    if (response.uid !== uid || response.allowed !== true || response.patch !== undefined) throw new Error(text);
  },
};

function ask(method, options, body = '') {
  return new Promise((resolve, reject) => {
    const asked = method({ timeout: TIMEOUT_MS, ...options }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part) => {
        text += part;
      });
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve(text);
        else reject(new Error(`status ${answer.statusCode}: ${text.slice(0, 300)}`));
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    asked.on('error', reject);
    asked.end(body);
  });
}

function reach(host, port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: TIMEOUT_MS }, () => {
      socket.destroy();
      resolve();
    });
    socket.on('timeout', () => socket.destroy(new Error(`no connection within ${TIMEOUT_MS} ms`)));
    socket.on('error', reject);
  });
}

let failures = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok      ${name}`);
  } catch (error) {
    failures += 1;
    console.log(`FAILED  ${name}: ${error.message}`);
  }
}
process.exit(failures === 0 ? 0 : 1);
