import type { Server } from 'node:http';
import type { EndpointSlice } from '../api/kinds/endpointSlice.ts';
import { hasHealthCheck, type Service } from '../api/kinds/service.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { nodeHttp } from '../base/node-http.ts';

/** What a balancer outside is told of a Service whose traffic stays on the node that it met. */
export interface HealthCheck {
  namespace: string;
  service: string;
  port: number;
  /** Its ready pods here. */
  localEndpoints: number;
}

/** The health checks that every node answers, and what this one has to say. Pure. */
export function healthChecksFor(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  nodeName: string,
): HealthCheck[] {
  return services.flatMap(({ metadata, spec }) => {
    const { namespace = '', name = '' } = metadata ?? {};
    const port = spec?.healthCheckNodePort;
    if (!port || !hasHealthCheck(spec)) return [];
    const own = slices.filter(
      (slice) =>
        slice.metadata?.namespace === namespace &&
        slice.metadata.labels?.['kubernetes.io/service-name'] === name,
    );
    const here = own
      .flatMap(({ endpoints = [] }) => endpoints)
      .filter((endpoint) => endpoint.nodeName === nodeName && endpoint.conditions?.ready !== false);
    const localEndpoints = new Set(here.flatMap(({ addresses }) => addresses)).size;
    return [{ namespace, service: name, port, localEndpoints }];
  });
}

/** Answers balancers outside as kube-proxy does: 200 where the node has ready pods of the Service, else 503. */
export class HealthCheckPorts {
  readonly #host: string;
  readonly #log: Log;
  readonly #servers = new Map<number, Server>();
  #checks = new Map<number, HealthCheck>();

  constructor(options: { host: string; log: Log }) {
    this.#host = options.host;
    this.#log = options.log;
  }

  /** Listens for exactly these; a port that somebody else has is left to him, and tried again with the next change. */
  async set(checks: readonly HealthCheck[]): Promise<void> {
    this.#checks = new Map(checks.map((check) => [check.port, check]));
    for (const [port, server] of this.#servers) {
      if (this.#checks.has(port)) continue;
      this.#servers.delete(port);
      close(server);
    }
    for (const { port, namespace, service } of checks) {
      if (this.#servers.has(port)) continue;
      try {
        this.#servers.set(port, await this.#listen(port));
      } catch (error) {
        this.#log.warn('no health checks', { namespace, service, port, error: messageOf(error) });
      }
    }
  }

  close(): void {
    for (const server of this.#servers.values()) close(server);
    this.#servers.clear();
  }

  async #listen(port: number): Promise<Server> {
    let problem: unknown;
    // The node's address may be one that only others see, behind a router.
    for (const host of new Set([this.#host, '127.0.0.1'])) {
      const server = nodeHttp.createServer((_, response) => {
        const { namespace, service, localEndpoints = 0 } = this.#checks.get(port) ?? {};
        response.writeHead(localEndpoints > 0 ? 200 : 503, {
          'content-type': 'application/json',
          'x-content-type-options': 'nosniff',
          'x-load-balancing-endpoint-weight': String(localEndpoints),
        });
        const answer = { service: { namespace, name: service }, localEndpoints, serviceProxyHealthy: true };
        response.end(`${JSON.stringify(answer, undefined, '\t')}\n`);
      });
      try {
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject);
          server.listen({ port, host }, resolve);
        });
        return server;
      } catch (error) {
        problem = error;
      }
    }
    throw problem;
  }
}

function close(server: Server): void {
  server.close();
  server.closeAllConnections();
}
