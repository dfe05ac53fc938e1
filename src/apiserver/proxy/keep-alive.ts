import { nodeHttp } from '../../base/node-http.ts';
import { connectInTime, type Upstream } from './upstream.ts';

/** A connection that nobody has used for so long is closed. */
export const idleMs = 30_000;
/** So many idle connections are kept to one server. */
export const idleMax = 8;

/** An upstream whose connections are used again by reading requests. */
export interface PooledUpstream extends Upstream {
  agent: NonNullable<Upstream['agent']>;
  /** Closes the connections that it keeps, and those in use. */
  close(): void;
}

/** Keeps connections to `upstream` for the next request; those that write or upgrade make their own. */
export function keptAlive(upstream: Upstream): PooledUpstream {
  const agent = new nodeHttp.Agent({ keepAlive: true, maxFreeSockets: idleMax, timeout: idleMs });
  agent.createConnection = (_options, done) => {
    connectInTime(upstream, undefined).then(
      (stream) => done?.(null, stream),
      // Node's type wants a stream here too, which there is none of.
      (error: Error) => (done as ((failure: Error) => void) | undefined)?.(error),
    );
    return undefined;
  };
  return { ...upstream, agent, close: () => agent.destroy() };
}
