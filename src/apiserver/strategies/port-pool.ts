import { StatusError } from '../../base/errors.ts';

const portMin = 30000;
const portMax = 32767;
/** The lowest ports are left to those who ask for one by number, as in Kubernetes, while there are others. */
const chosenMin = portMin + 86;

/** The node ports of the cluster's Services: 30000 to 32767. */
export class PortPool {
  #taken = new Set<number>();
  readonly #random: () => number;

  /** `random` gives numbers from 0 to below 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Takes this port, or says why it can't be had. */
  take(port: number): string | undefined {
    if (port < portMin || port > portMax) {
      return `provided port is not in the valid range. The range of valid ports is ${portMin}-${portMax}`;
    }
    if (this.#taken.has(port)) return 'provided port is already allocated';
    this.#taken.add(port);
    return undefined;
  }

  /** Anywhere in the range, so that two clusters on one machine hardly meet. */
  takeAny(): number {
    const start = chosenMin + Math.floor(this.#random() * (portMax - chosenMin + 1));
    const port =
      this.#firstFree(start, portMax) ??
      this.#firstFree(chosenMin, start) ??
      this.#firstFree(portMin, chosenMin);
    if (port === undefined) {
      throw new StatusError(
        'InternalError',
        `failed to allocate a nodePort: all of ${portMin}-${portMax} are taken; delete Services that are not needed`,
      );
    }
    this.#taken.add(port);
    return port;
  }

  #firstFree(from: number, to: number): number | undefined {
    for (let port = from; port <= to; port++) if (!this.#taken.has(port)) return port;
    return undefined;
  }

  release(port: number): void {
    this.#taken.delete(port);
  }
}
