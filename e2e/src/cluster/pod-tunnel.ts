import { type ChildProcess, spawn } from 'node:child_process';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { KubeObject } from './kube-object.js';

const RELAY =
  "const s=require('net').connect(+process.argv[2],process.argv[1]);process.stdin.pipe(s);s.pipe(process.stdout);s.on('error',()=>process.exit(1));s.on('close',()=>process.exit(0))";

/** Connections that a test makes from inside a pod: what connects to `port` here comes out there, with the pod's address. */
export class PodTunnel {
  readonly #server: Server;
  readonly #relays = new Set<ChildProcess>();

  private constructor(pod: KubeObject, container: string, host: string, port: number) {
    const { namespace = '', name } = pod.metadata;
    this.#server = createServer((socket) => {
      const exec = ['-n', namespace, 'exec', '-i', name, '-c', container, '--', 'node', '-e', RELAY, host, `${port}`];
      const relay = spawn('kubectl', exec, { stdio: ['pipe', 'pipe', 'ignore'] });
      this.#relays.add(relay);
      relay.once('exit', () => {
        this.#relays.delete(relay);
        socket.end();
      });
      relay.stdin.on('error', () => {});
      socket.on('error', () => relay.kill());
      socket.pipe(relay.stdin);
      relay.stdout.pipe(socket);
    });
  }

  static async open(pod: KubeObject, container: string, host: string, port: number): Promise<PodTunnel> {
    const tunnel = new PodTunnel(pod, container, host, port);
    await new Promise<void>((resolve) => tunnel.#server.listen(0, '127.0.0.1', resolve));
    return tunnel;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const relay of this.#relays) relay.kill();
  }
}
