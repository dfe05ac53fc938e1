import type { Socket } from 'node:net';
import type { RequestLoad } from './inbound-load.ts';
import type { FromPod, ToPod } from './messages.ts';

/** How many dials may wait for the shim at a time. */
export const dialsMax = 256;

/** The pod's end of the IPC channel. Once it is made, the pod's own code can neither see nor use the channel. */
export class ShimChannel {
  readonly #send: (message: FromPod) => void;
  readonly #channel: { ref(): void; unref(): void };
  #dials = new Map<number, { resolve: (socket: Socket) => void; reject: (error: Error) => void }>();
  #nextDial = 1;
  #isListening = true;

  constructor(onMessage: (message: ToPod, socket: Socket | undefined) => void) {
    const { send, channel } = process;
    if (!send || !channel)
      throw new Error('the isolate host runs only under the shim, which gives it an IPC channel');
    const sendNow = send as (
      message: FromPod,
      handle: undefined,
      options: undefined,
      done: () => void,
    ) => boolean;
    this.#send = (message) => void sendNow.call(process, message, undefined, undefined, () => {});
    this.#channel = channel as { ref(): void; unref(): void };
    // Node keeps messages back until somebody listens.
    process.on('message', () => {});
    this.#keepAlive();
    const emit = process.emit;
    process.emit = function (this: NodeJS.Process, event: string, ...args: unknown[]) {
      // The shim is gone, and with it every socket to come: a new one starts this pod anew.
      if (event === 'disconnect') process.exit(1);
      if (event !== 'message') return Reflect.apply(emit, this, [event, ...args]) as boolean;
      onMessage(args[0] as ToPod, args[1] as Socket | undefined);
      return true;
    } as typeof process.emit;
    // Programs take `process.send` as the sign that they were forked. Node itself needs the rest of the channel.
    for (const name of ['send', 'disconnect']) Reflect.deleteProperty(process, name);
  }

  announce(ports: number[]): void {
    this.#isListening = true;
    this.#keepAlive();
    this.#send({ type: 'listening', ports });
  }

  /** The program has been loaded: one that listens nowhere is as ready as it will be. */
  tellLoaded(): void {
    this.#send({ type: 'loaded' });
  }

  /** Nothing listens any more: the process may end once its work is done. */
  release(): void {
    this.#isListening = false;
    this.#keepAlive();
  }

  hold(service: string): void {
    this.#send({ type: 'held', service });
  }

  report(rows: Extract<FromPod, { type: 'telemetry' }>['rows']): void {
    this.#send({ type: 'telemetry', rows });
  }

  reportLoad(load: RequestLoad): void {
    this.#send({ type: 'load', ...load });
  }

  dial(target: { host: string; port: number }): Promise<Socket> {
    if (this.#dials.size >= dialsMax) {
      return Promise.reject(new Error(`more than ${dialsMax} connections are being opened`));
    }
    const id = this.#nextDial++;
    return new Promise((resolve, reject) => {
      this.#dials.set(id, { resolve, reject });
      this.#keepAlive();
      this.#send({ type: 'dial', id, ...target });
    });
  }

  onDialed(message: Extract<ToPod, { type: 'dialed' }>, socket: Socket | undefined): void {
    const dial = this.#dials.get(message.id);
    this.#dials.delete(message.id);
    this.#keepAlive();
    if (!dial) socket?.destroy();
    else if (socket) dial.resolve(socket);
    else {
      const { message: text, code } = message.error ?? { message: 'connection lost', code: 'ECONNRESET' };
      dial.reject(Object.assign(new Error(text), { code }));
    }
  }

  #keepAlive(): void {
    if (this.#isListening || this.#dials.size > 0) this.#channel.ref();
    else this.#channel.unref();
  }
}
