/**
 * The metrics of a program. Values are read when they are asked for, from the counters that the program has anyway, so
 * that nothing is spent on them in between. Its own entry of the package (`@trafficcopy/runtime/metrics`): its library takes 10 MB, which a
 * program without --metrics does not load.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export class ProgramMetrics {
  readonly registry = new Registry();

  /** Adds the usual metrics of a Node.js process (CPU, memory, event loop). For the process that serves them only. */
  addProcess(): this {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 100 });
    return this;
  }

  /** A number that only grows. `name` ends in `_total`. */
  counter(name: `trafficcopy_${string}_total`, help: string, read: () => number): this {
    const metric = new Counter({
      name,
      help,
      registers: [this.registry],
      collect(): void {
        this.reset();
        this.inc(read());
      },
    });
    void metric;
    return this;
  }

  /** Numbers that only grow, one for each value of `label`. */
  counters(
    name: `trafficcopy_${string}_total`,
    help: string,
    label: string,
    read: () => Readonly<Record<string, number>>,
  ): this {
    const metric = new Counter({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect(): void {
        this.reset();
        for (const [value, count] of Object.entries(read())) this.inc({ [label]: value }, count);
      },
    });
    void metric;
    return this;
  }

  /** A number that goes up and down. */
  gauge(name: `trafficcopy_${string}`, help: string, read: () => number): this {
    const metric = new Gauge({
      name,
      help,
      registers: [this.registry],
      collect(): void {
        this.set(read());
      },
    });
    void metric;
    return this;
  }
}
