import type { LoadReport } from '@trafficcopy/lab';
import { type Cluster, POD } from '../cluster/cluster.js';
import type { KubeObject } from '../cluster/kube-object.js';
import { until } from '../until.js';
import { imageOf } from './image.js';
import { CONTROL_PORT } from './shop-service.js';

const READY_MS = 60_000;
const DRAINED_MS = 30_000;
const PROXY_PORT = 8000;

export interface LoadOptions {
  /** Where to: a Service's address, so that whatever comes from another one is a leak. */
  readonly host: string;
  readonly port?: number;
  readonly connections: number;
  /** For each connection; 0: it stays. */
  readonly requests?: number;
  /** A second, over all connections. */
  readonly rate: number;
  /** Number of the first request. */
  readonly idStart?: number;
  /** The clients speak TLS to the Service, through a proxy in the pod. */
  readonly tls?: boolean;
}

/**
 * A pod that sends numbered requests to a Service, and watches its own network for what should not be there: answers that come from
 * anywhere but the Service, and resets.
 */
export class LoadPod {
  readonly name: string;
  readonly namespace: string;
  readonly idStart: number;
  readonly #cluster: Cluster;
  readonly #options: LoadOptions;

  constructor(cluster: Cluster, namespace: string, name: string, options: LoadOptions) {
    this.#cluster = cluster;
    this.namespace = namespace;
    this.name = name;
    this.#options = options;
    this.idStart = options.idStart ?? 0;
  }

  get #pod(): KubeObject {
    const { host, port = 8080, connections, requests = 0, rate, tls = false } = this.#options;
    const settings = {
      host: tls ? '127.0.0.1' : host,
      port: tls ? PROXY_PORT : port,
      connections,
      requests,
      rate,
      'id-start': this.idStart,
      'duration-ms': 3_600_000,
      'timeout-ms': 10_000,
    };
    const image = { image: imageOf('trafficcopy-e2e'), imagePullPolicy: 'IfNotPresent' };
    const strange = `tcp src port ${port} and not (src host ${host} and tcp[tcpflags] & tcp-rst == 0)`;
    return {
      ...POD,
      metadata: { name: this.name, namespace: this.namespace, labels: { 'e2e-role': 'load' } },
      spec: {
        restartPolicy: 'Never',
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 1,
        // Out of the way of tests that drain the nodes of servers, where the cluster allows it.
        tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }],
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 100,
                preference: {
                  matchExpressions: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }],
                },
              },
            ],
          },
        },
        containers: [
          {
            name: 'load',
            ...image,
            args: ['load-generator', ...Object.entries(settings).map(([key, value]) => `--${key}=${value}`)],
            readinessProbe: { httpGet: { path: '/healthz', port: CONTROL_PORT }, periodSeconds: 1 },
            resources: { requests: { cpu: '300m', memory: '64Mi' } },
          },
          ...(tls ? [{ name: 'proxy', ...image, command: ['bash', '-c', startsTls(host, port)] }] : []),
          {
            name: 'sniffer',
            ...image,
            command: ['tcpdump', '-nn', '-l', '--immediate-mode', '-i', 'eth0', strange],
          },
        ],
      },
    };
  }

  /** Creates the pod and lets it begin. */
  async start(): Promise<this> {
    await this.#cluster.create(this.#pod);
    await until(`pod ${this.name} is ready`, READY_MS, async () => {
      const { status } = await this.#cluster.read(POD, this.namespace, this.name);
      const isReady = status.conditions?.some((each: { type: string; status: string }) => {
        return each.type === 'Ready' && each.status === 'True';
      });
      return isReady && (await this.#cluster.logs(this.namespace, this.name, 'sniffer')).includes('listening on');
    });
    await this.#cluster.askPod(this.namespace, this.name, CONTROL_PORT, 'tell/run', 'POST');
    return this;
  }

  async progress(): Promise<LoadReport> {
    return this.#ask('progress');
  }

  /** Latencies since the last lap. */
  async lap(): Promise<LoadReport> {
    return this.#ask('lap');
  }

  /** Number of the request that comes next. */
  async nextId(): Promise<number> {
    return this.idStart + (await this.progress()).requests;
  }

  /** Begins no more requests; returns when those under way are answered. */
  async stop(): Promise<LoadReport> {
    await this.#ask('stop');
    return until(`load of ${this.name} has drained`, DRAINED_MS, async () => {
      const report = await this.progress();
      const errors = Object.values(report.errors).reduce((all, each) => all + each, 0);
      return report.responses + errors >= report.requests ? report : undefined;
    });
  }

  async remove(): Promise<void> {
    await this.#cluster.remove(POD, this.namespace, this.name);
    await until(`pod ${this.name} is gone`, READY_MS, async () => {
      return (await this.#cluster.find(POD, this.namespace, this.name)) === undefined;
    });
  }

  /** Packets that no client should get, as text. */
  async strangePackets(): Promise<string[]> {
    const lines = (await this.#cluster.logs(this.namespace, this.name, 'sniffer')).split('\n');
    return lines.filter((line) => / IP6? /.test(line));
  }

  async #ask(question: string): Promise<LoadReport> {
    return JSON.parse(await this.#cluster.askPod(this.namespace, this.name, CONTROL_PORT, `ask/${question}`));
  }
}

/** nginx as the client's end of a mesh. */
function startsTls(host: string, port: number): string {
  return `sed 's/SERVER/${host}:${port}/' /etc/nginx/e2e/starts-tls.conf > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf -g 'daemon off;'`;
}
