import { createReadStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LabHost } from '../lab-host.js';
import type { LabProcess } from '../lab-process.js';

export interface NginxOptions {
  readonly port: number;
  /** Close a connection after so many requests; default never. */
  readonly keepaliveRequests?: number | undefined;
  /** Connections at one time; default 8192. */
  readonly connectionsMax?: number | undefined;
  /** Whether requests are logged, for {@link Nginx.requests}; default true. */
  readonly isLogged?: boolean | undefined;
  /** Octets of the answer to `/`. */
  readonly responseBytes?: number | undefined;
}

/** One request as nginx logged it. */
export interface NginxRequest {
  readonly client: string;
  readonly connection: number;
  readonly uri: string;
  /** Octets of the request, body included. */
  readonly requestBytes: number;
  readonly status: number;
}

let serial = 0;

/** nginx of the system with a configuration of its own: `/` small, `/100k` 102,400 octets, `/upload` takes bodies. */
export class Nginx {
  readonly process: LabProcess;
  readonly #log: string;

  private constructor(process: LabProcess, log: string) {
    this.process = process;
    this.#log = log;
  }

  static async start(host: LabHost, options: NginxOptions): Promise<Nginx> {
    serial += 1;
    const directory = join(host.directory, `nginx-${serial}`);
    const documents = join(directory, 'documents');
    mkdirSync(documents, { recursive: true });
    writeFileSync(join(documents, 'index.html'), `${host.name} `.repeat(10_000).slice(0, options.responseBytes ?? 612));
    writeFileSync(join(documents, '100k'), `${host.name} `.repeat(20_000).slice(0, 102_400));
    const configuration = join(directory, 'nginx.conf');
    const log = join(directory, 'access.log');
    writeFileSync(configuration, configure(directory, documents, log, options));
    const process = await host.start(`nginx-${serial}`, 'nginx', ['-p', directory, '-c', configuration]);
    await host.listening(options.port, 20_000, process);
    return new Nginx(process, log);
  }

  /** Ends nginx, which writes what its log buffers hold, and reads the log in the order of the requests. */
  async requests(): Promise<NginxRequest[]> {
    await this.process.stop('SIGTERM');
    const requests: NginxRequest[] = [];
    for await (const line of createInterface({ input: createReadStream(this.#log, 'utf8') })) {
      const [client = '', connection, requestBytes, status, uri = ''] = line.split(' ');
      requests.push({
        client,
        connection: Number(connection),
        uri,
        requestBytes: Number(requestBytes),
        status: Number(status),
      });
    }
    return requests;
  }
}

function configure(directory: string, documents: string, log: string, options: NginxOptions): string {
  return `
daemon off;
user root;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr warn;
events { worker_connections ${options.connectionsMax ?? 8192}; }
http {
  log_format lab '$remote_addr:$remote_port $connection $request_length $status $request_uri';
  access_log ${options.isLogged === false ? 'off' : `${log} lab buffer=256k`};
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  keepalive_requests ${options.keepaliveRequests ?? 1_000_000_000};
  keepalive_timeout 3600s;
  client_max_body_size 64m;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=16;
  server {
    listen ${options.port} backlog=4096;
    listen [::]:${options.port} backlog=4096;
    root ${documents};
    # Answered when the whole body was read.
    location /upload { proxy_pass http://unix:${directory}/upload.sock; }
    location / { try_files $uri /index.html; }
  }
  server {
    listen unix:${directory}/upload.sock;
    access_log off;
    location / { return 200 "taken\\n"; }
  }
}
`;
}
