import { StatusError } from '../../base/errors.ts';

const portMin = 30000;
const portMax = 32767;

/** The node ports of the cluster's Services: 30000 to 32767. */
export class PortPool {
  #taken = new Set<number>();
  #next = portMin;

  /** Takes this port, or says why it can't be had. */
  take(port: number): string | undefined {
    if (port < portMin || port > portMax) {
      return `provided port is not in the valid range. The range of valid ports is ${portMin}-${portMax}`;
    }
    if (this.#taken.has(port)) return 'provided port is already allocated';
    this.#taken.add(port);
    return undefined;
  }

  takeAny(): number {
    for (let tries = portMin; tries <= portMax; tries++) {
      const port = this.#next;
      this.#next = port === portMax ? portMin : port + 1;
      if (this.#taken.has(port)) continue;
      this.#taken.add(port);
      return port;
    }
    throw new StatusError(
      'InternalError',
      `failed to allocate a nodePort: all of ${portMin}-${portMax} are taken; delete Services that are not needed`,
    );
  }

  release(port: number): void {
    this.#taken.delete(port);
  }
}
