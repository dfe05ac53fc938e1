import type { Socket } from 'node:net';
import { findEndpoint } from '../../../mesh/decide.ts';
import type { Endpoint } from '../../../mesh/route-table.ts';
import type { ToPod } from '../isolate/messages.ts';
import type { ContainerSpec } from '../runtime.ts';
import { requestConnect } from './connect-stream.ts';
import { isEgressGranted } from './grants.ts';
import { connectOutside } from './outside.ts';
import type { Pods } from './pods.ts';
import { connectUnread, type SocketPairs } from './socket-pairs.ts';

/** How many connections one pod may be opening at a time. */
export const dialsMax = 256;

/** A process that asks for connections, with what it may reach. */
export interface Caller {
  spec: Pick<ContainerSpec, 'grants'>;
  send(message: ToPod, socket?: Socket): boolean;
}

/** Opens connections on behalf of pods and of the node, as far as policy allows. */
export class Dialer {
  readonly #pods: Pods;
  readonly #pairs: SocketPairs;
  readonly #dialing = new Map<Caller, number>();

  constructor(options: { pods: Pods; pairs: SocketPairs }) {
    this.#pods = options.pods;
    this.#pairs = options.pairs;
  }

  /** Answers a pod's request for a connection. What it may reach: endpoints of Services, and what it was granted. */
  async answer(caller: Caller, request: { id: number; host: string; port: number }): Promise<void> {
    const { id } = request;
    const count = this.#dialing.get(caller) ?? 0;
    if (count >= dialsMax) {
      const error = { message: `more than ${dialsMax} connections are being opened`, code: 'EMFILE' };
      caller.send({ type: 'dialed', id, error });
      return;
    }
    this.#dialing.set(caller, count + 1);
    try {
      const socket = await this.#dialFor(caller, request.host, request.port);
      if (!caller.send({ type: 'dialed', id }, socket)) socket.destroy();
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException;
      caller.send({ type: 'dialed', id, error: { message, code: code ?? 'ECONNREFUSED' } });
    } finally {
      const left = (this.#dialing.get(caller) ?? 1) - 1;
      if (left > 0) this.#dialing.set(caller, left);
      else this.#dialing.delete(caller);
    }
  }

  /** An unread connection to an endpoint; to another node's it still has to become TLS. */
  async toEndpoint(endpoint: Endpoint): Promise<Socket> {
    if (this.#pods.has(endpoint.ip)) return this.toLocalPod(endpoint.ip, endpoint.port);
    if (endpoint.isLocal) throw refused(`pod ${endpoint.ip} is no longer on this node`);
    if (endpoint.node === '') return connectUnread({ host: endpoint.ip, port: endpoint.port });
    return this.#toOtherNode(endpoint);
  }

  async toLocalPod(ip: string, port: number): Promise<Socket> {
    if (!this.#pods.serving(ip, port)) throw refused(`pod ${ip} does not listen`);
    const [near, far] = await this.#pairs.make();
    if (this.#pods.connect(far, { ip, port, isTls: false })) return near;
    near.destroy();
    far.destroy();
    throw refused(`pod ${ip} stopped listening`);
  }

  async #toOtherNode(endpoint: Endpoint): Promise<Socket> {
    const { meshAddress, node, ip, port } = endpoint;
    if (!meshAddress) {
      throw refused(`node "${node}" has no annotation selvage.dev/mesh-address: is its agent running?`);
    }
    const at = meshAddress.lastIndexOf(':');
    const socket = await connectUnread({
      host: meshAddress.slice(0, at),
      port: Number(meshAddress.slice(at + 1)),
    });
    socket.setNoDelay(true);
    try {
      await requestConnect(socket, ip, port);
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  #dialFor(caller: Caller, host: string, port: number): Promise<Socket> {
    const { table } = this.#pods;
    const endpoint = table && findEndpoint(table, host, port);
    if (endpoint) return this.toEndpoint(endpoint);
    const { egress, localEgress } = caller.spec.grants;
    if (isEgressGranted(egress, host, port)) {
      return localEgress ? connectUnread({ host, port }) : connectOutside({ host, port });
    }
    return Promise.reject(
      Object.assign(new Error(`egress to ${host}:${port} is not granted`), { code: 'EEGRESS' }),
    );
  }
}

function refused(message: string): Error {
  return Object.assign(new Error(message), { code: 'ECONNREFUSED' });
}
