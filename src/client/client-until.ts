import { untilAborted } from '../base/until-aborted.ts';
import type { Client, ListOptions, WatchOptions } from './client.ts';

/**
 * The same client until `signal` aborts: then what is under way is given up and nothing more is sent, so that no server
 * that doesn't answer can hold up whoever wants to end.
 */
export function clientUntil(client: Client, signal: AbortSignal): Client {
  const bound = async <T>(send: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    return untilAborted(send(), signal);
  };
  const both = <T extends ListOptions | WatchOptions>(options: T): T => ({
    ...options,
    signal: options.signal ? AbortSignal.any([options.signal, signal]) : signal,
  });
  return {
    get: (...request) => bound(() => client.get(...request)),
    list: (kind, options = {}) => bound(() => client.list(kind, both(options))),
    discover: (...request) => bound(() => client.discover(...request)),
    create: (...request) => bound(() => client.create(...request)),
    update: (...request) => bound(() => client.update(...request)),
    patch: (...request) => bound(() => client.patch(...request)),
    delete: (...request) => bound(() => client.delete(...request)),
    watch: (kind, options = {}) => client.watch(kind, both(options)),
  };
}
