import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ContainerState } from './runtimes/runtime.ts';
import type { ShimClient } from './runtimes/shim/client.ts';

export type ConnectShim = (options: { spawnIfAbsent: boolean }) => Promise<ShimClient>;

/**
 * The agent's connection to its node's shim: made when it is first needed, noticed when it is lost, made anew after.
 * A node without pods and listeners has no shim, and pays for none.
 */
export class ShimLink {
  readonly #connect: ConnectShim;
  readonly #log: Log;
  #shim: ShimClient | undefined;
  #connecting: Promise<ShimClient> | undefined;
  #isClosed = false;
  #onConnected: ((shim: ShimClient) => void)[] = [];
  #onState: ((state: ContainerState) => void)[] = [];
  #onLost: (() => void)[] = [];

  constructor(options: { connect: ConnectShim; log: Log }) {
    this.#connect = options.connect;
    this.#log = options.log;
  }

  /** The shim if there is a connection now. */
  get current(): ShimClient | undefined {
    return this.#shim;
  }

  /** Connects to the shim, starting one if there is none. */
  ensure(): Promise<ShimClient> {
    return this.#open(true);
  }

  /** Connects to a shim that an earlier agent left; undefined if there is none. */
  async adopt(): Promise<ShimClient | undefined> {
    try {
      return await this.#open(false);
    } catch (error) {
      this.#log.debug('no shim to adopt', { error: messageOf(error) });
      return undefined;
    }
  }

  /** Calls back at every new connection, before anybody else uses it. */
  onConnected(listener: (shim: ShimClient) => void): void {
    this.#onConnected.push(listener);
    if (this.#shim) listener(this.#shim);
  }

  onState(listener: (state: ContainerState) => void): void {
    this.#onState.push(listener);
  }

  onLost(listener: () => void): void {
    this.#onLost.push(listener);
  }

  /** Lets go of the shim: its pods run on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#connecting?.catch(() => undefined);
    await this.#shim?.close();
    this.#shim = undefined;
  }

  /** Ends the shim and all its pods. */
  async shutdown(graceSeconds: number): Promise<void> {
    this.#isClosed = true;
    await this.#connecting?.catch(() => undefined);
    await this.#shim?.shutdown({ graceSeconds });
    this.#shim = undefined;
  }

  #open(spawnIfAbsent: boolean): Promise<ShimClient> {
    if (this.#isClosed) return Promise.reject(new Error('the agent is stopping'));
    if (this.#shim) return Promise.resolve(this.#shim);
    this.#connecting ??= this.#attach(spawnIfAbsent).finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #attach(spawnIfAbsent: boolean): Promise<ShimClient> {
    const shim = await this.#connect({ spawnIfAbsent });
    this.#shim = shim;
    shim.subscribe((state) => {
      for (const listener of this.#onState) listener(state);
    });
    shim.onDisconnect(() => {
      if (this.#shim !== shim) return;
      this.#shim = undefined;
      if (this.#isClosed) return;
      this.#log.warn('the shim is gone; its pods will be started again');
      for (const listener of this.#onLost) listener();
    });
    for (const listener of this.#onConnected) listener(shim);
    return shim;
  }
}
