import type { Endpoint } from './route-table.ts';

/** How long an endpoint that refused a connection is left alone. */
export const ejectionMs = 5_000;
const ejectedMax = 1_000;

/** What load balancing remembers: requests in flight, and endpoints that failed just now. */
export class Balance {
  #inFlight = new Map<string, number>();
  #ejectedUntilMs = new Map<string, number>();
  #cursor = 0;
  readonly #nowMs: () => number;
  readonly #random: () => number;

  constructor(options: { nowMs?: () => number; random?: () => number } = {}) {
    this.#nowMs = options.nowMs ?? Date.now;
    this.#random = options.random ?? Math.random;
  }

  /** Of the next endpoint in turn and a random other one, that with fewer requests in flight. */
  pick(endpoints: readonly Endpoint[]): Endpoint | undefined {
    if (endpoints.length < 2) return endpoints[0];
    const turn = this.#cursor++ % endpoints.length;
    const first = endpoints[turn]!;
    const step = 1 + Math.floor(this.#random() * (endpoints.length - 1));
    const second = endpoints[(turn + step) % endpoints.length]!;
    return this.inFlight(second) < this.inFlight(first) ? second : first;
  }

  /** A number from 0 to 1, with which a request falls into one of several shares. */
  draw(): number {
    return this.#random();
  }

  inFlight(endpoint: Endpoint): number {
    return this.#inFlight.get(endpointKey(endpoint)) ?? 0;
  }

  started(endpoint: Endpoint): void {
    this.#inFlight.set(endpointKey(endpoint), this.inFlight(endpoint) + 1);
  }

  finished(endpoint: Endpoint): void {
    const left = this.inFlight(endpoint) - 1;
    if (left > 0) this.#inFlight.set(endpointKey(endpoint), left);
    else this.#inFlight.delete(endpointKey(endpoint));
  }

  /** Leaves the endpoint alone for some seconds. */
  eject(endpoint: Endpoint): void {
    const oldest = this.#ejectedUntilMs.keys().next().value;
    if (this.#ejectedUntilMs.size >= ejectedMax && oldest !== undefined) this.#ejectedUntilMs.delete(oldest);
    this.#ejectedUntilMs.set(endpointKey(endpoint), this.#nowMs() + ejectionMs);
  }

  get hasEjected(): boolean {
    return this.#ejectedUntilMs.size > 0;
  }

  isEjected(endpoint: Endpoint): boolean {
    const untilMs = this.#ejectedUntilMs.get(endpointKey(endpoint));
    if (untilMs === undefined) return false;
    if (untilMs > this.#nowMs()) return true;
    this.#ejectedUntilMs.delete(endpointKey(endpoint));
    return false;
  }
}

const keys = new WeakMap<Endpoint, string>();

/** `ip:port`. */
export function endpointKey(endpoint: Endpoint): string {
  let key = keys.get(endpoint);
  if (key === undefined) {
    key = `${endpoint.ip}:${endpoint.port}`;
    keys.set(endpoint, key);
  }
  return key;
}
