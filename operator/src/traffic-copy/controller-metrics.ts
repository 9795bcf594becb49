import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { KubeCall } from '../kube/index.js';

export interface ControllerFigures {
  readonly queueDepth: number;
  readonly trafficCopies: number;
  readonly podsKnown: number;
  readonly isLeader: boolean;
}

const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete']);
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How the controller does. */
export class ControllerMetrics {
  readonly #reconciles: Histogram;
  readonly #errors: Counter;
  readonly #calls: Counter;
  readonly #writes: Counter;
  readonly #reviews: Counter;

  constructor(registry: Registry, read: () => ControllerFigures) {
    const registers = [registry];
    this.#reconciles = new Histogram({
      name: 'trafficcopy_operator_reconcile_seconds',
      help: 'Time to look at one thing and do what is to be done about it, by kind: copy, node, webhook',
      labelNames: ['kind'],
      buckets: SECONDS,
      registers,
    });
    this.#errors = new Counter({
      name: 'trafficcopy_operator_reconcile_errors_total',
      help: 'Reconciles that failed and are tried again',
      labelNames: ['kind'],
      registers,
    });
    this.#calls = new Counter({
      name: 'trafficcopy_operator_api_calls_total',
      help: 'Calls to the API server',
      labelNames: ['verb', 'resource'],
      registers,
    });
    this.#writes = new Counter({
      name: 'trafficcopy_operator_api_writes_total',
      help: 'Calls that change something in the API server; leases and events aside',
      labelNames: ['resource'],
      registers,
    });
    this.#reviews = new Counter({
      name: 'trafficcopy_operator_webhook_reviews_total',
      help: 'Pods that the API server asked about, by what became of them',
      labelNames: ['outcome'],
      registers,
    });
    gauge(registry, 'trafficcopy_operator_queue_depth', 'Things that wait to be looked at', () => read().queueDepth);
    gauge(registry, 'trafficcopy_operator_trafficcopies', 'TrafficCopies that are known', () => read().trafficCopies);
    gauge(registry, 'trafficcopy_operator_pods', 'Pods that are known', () => read().podsKnown);
    gauge(registry, 'trafficcopy_operator_leader', '1 when this replica leads', () => (read().isLeader ? 1 : 0));
  }

  reconciled(kind: string, seconds: number): void {
    this.#reconciles.observe({ kind }, seconds);
  }

  failed(kind: string): void {
    this.#errors.inc({ kind });
  }

  reviewed(outcome: string): void {
    this.#reviews.inc({ outcome });
  }

  called({ verb, resource }: KubeCall): void {
    this.#calls.inc({ verb, resource });
    if (WRITES.has(verb) && resource !== 'leases' && resource !== 'events' && resource !== 'tokenreviews') {
      this.#writes.inc({ resource });
    }
  }
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect(): void {
      this.set(read());
    },
  });
}
