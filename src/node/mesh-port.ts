import { type Clock, sleep } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { backoffMs } from '../client/backoff.ts';
import type { ShimClient } from './runtimes/shim/client.ts';
import type { NodeState } from './state.ts';

const retry = { initialMs: 1_000, maxMs: 60_000 };

/**
 * Opens the mesh port that other nodes dial, on the same port as last time if that was picked freely (`port` 0). Tries
 * again while the port is taken. Resolves to the port, or to undefined when this shim is gone before that.
 */
export async function openMeshPort(
  shim: ShimClient,
  options: { host: string; port: number; state: NodeState; clock: Clock; log: Log },
): Promise<number | undefined> {
  const { host, port, state, clock, log } = options;
  const lost = new AbortController();
  shim.onDisconnect(() => lost.abort());
  const wanted = port === 0 ? Number(state.fact('meshPort') ?? 0) : port;
  for (let failures = 1; !lost.signal.aborted; failures++) {
    try {
      const opened = await shim.openMeshPort({ host, port: wanted }).catch((error: unknown) => {
        if (wanted === port) throw error;
        return shim.openMeshPort({ host, port });
      });
      state.saveFact('meshPort', opened.port);
      return opened.port;
    } catch (error) {
      if (failures === 1 && !lost.signal.aborted) {
        const fields = { error: messageOf(error) };
        log.error('mesh port not open, will retry: other nodes cannot reach pods here', fields);
      }
      await sleep(clock, backoffMs(failures, retry), lost.signal);
    }
  }
  return undefined;
}
