import { Lab, type LoadReport, Nginx, runWrk } from '@trafficcopy/lab';
import type { Contender, RunningContender } from './contender.js';
import type { LatencyRound, Round } from './measurement.js';
import type { Workload } from './workload.js';

const PORTS = { online: 80, target: 8080 };
const CONNECTIONS = 20;
const WARM_UP_SECONDS = 1;

/** nginx to nginx with one contender between them, for one round. */
export async function measureRound(contender: Contender, workload: Workload, seconds: number): Promise<Round> {
  return Lab.with({ extraHosts: contender.extraHosts }, async (lab) => {
    const online = await Nginx.start(lab.online, { port: PORTS.online });
    const target = await Nginx.start(lab.target, { port: PORTS.target });
    const running = await contender.start(lab, PORTS);
    const url = `http://${lab.online.ipv4}:${PORTS.online}${workload.path}`;
    const load = { url, connections: CONNECTIONS, isClosing: workload.isClosing };
    await runWrk(lab.client, { ...load, seconds: WARM_UP_SECONDS });
    await running.quiet();
    const processes = [running.copy, running.intercept, online.process, target.process];
    const read = (): number[] => processes.map((process) => process.cpuMs());
    const systemBeforeMs = running.copy.cpu().systemMs;
    const before = read();
    const wrk = await runWrk(lab.client, { ...load, seconds });
    await running.quiet();
    const after = read();
    const systemMs = running.copy.cpu().systemMs - systemBeforeMs;
    const perRequestUs = after.map((ms, index) => ((ms - before[index]!) * 1000) / wrk.requests);
    await running.stop();
    const [atOnline, atTarget] = [await online.requests(), await target.requests()];
    return {
      requests: wrk.requests,
      requestsPerSecond: wrk.requestsPerSecond,
      missing: atOnline.length - atTarget.length,
      copyUs: perRequestUs[0]!,
      copySystemUs: (systemMs * 1000) / wrk.requests,
      interceptUs: perRequestUs[1]!,
      onlineUs: perRequestUs[2]!,
      targetUs: perRequestUs[3]!,
    };
  });
}

/** The client's latency at a fixed rate: off, on, and off again, so that what changes with time does not count for either. */
export async function measureLatency(contender: Contender, workload: Workload, seconds: number): Promise<LatencyRound> {
  return Lab.with({ extraHosts: contender.extraHosts }, async (lab) => {
    await Nginx.start(lab.online, { port: PORTS.online });
    await Nginx.start(lab.target, { port: PORTS.target });
    await pacedLoad(lab, workload, WARM_UP_SECONDS);
    const before = await pacedLoad(lab, workload, seconds / 2);
    const running: RunningContender = await contender.start(lab, PORTS);
    await pacedLoad(lab, workload, WARM_UP_SECONDS);
    const on = await pacedLoad(lab, workload, seconds);
    await running.quiet();
    await running.stop();
    const after = await pacedLoad(lab, workload, seconds / 2);
    const mean = (one: number, other: number): number => (one + other) / 2;
    return {
      p50OffUs: mean(before.latencyUs.p50, after.latencyUs.p50),
      p50OnUs: on.latencyUs.p50,
      p99OffUs: mean(before.latencyUs.p99, after.latencyUs.p99),
      p99OnUs: on.latencyUs.p99,
    };
  });
}

async function pacedLoad(lab: Lab, workload: Workload, seconds: number): Promise<LoadReport> {
  const generator = await lab.client.program('load-generator', {
    host: lab.online.ipv4,
    port: PORTS.online,
    connections: CONNECTIONS,
    requests: workload.isClosing ? 1 : 0,
    path: workload.path,
    rate: workload.pacedRate,
    'duration-ms': seconds * 1000,
  });
  const report = await generator.ask<LoadReport>('run');
  await generator.stop();
  return report;
}
