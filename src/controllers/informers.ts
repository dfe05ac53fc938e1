import type { Pod } from '../api/kinds/pod.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Indexers } from '../client/cache.ts';
import type { Client } from '../client/client.ts';
import { createInformer, type Informer } from '../client/informer.ts';
import { controllerOf } from './owner.ts';

/** One informer a kind, shared by all controllers: each object is received and kept once. */
export interface Informers {
  of<T extends KubeObject>(kind: KindAddress<T>): Informer<T>;
  /** Stops following a kind that is no longer served; whoever asks for it again gets a new informer. */
  forget(kind: KindAddress): void;
}

/** The informers start when they are first asked for and stop with `signal`. */
export function createInformers(options: {
  client: Client;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
}): Informers {
  const { signal, ...shared } = options;
  const informers = new Map<string, { informer: unknown; stop: AbortController }>();
  return {
    of<T extends KubeObject>(kind: KindAddress<T>): Informer<T> {
      const name = `${kind.group}/${kind.plural}`;
      const present = informers.get(name);
      // The map holds under a kind's name what was made for that kind.
      if (present) return present.informer as Informer<T>;
      const informer = createInformer({ ...shared, kind, indexers: indexersOf(kind) });
      const stop = new AbortController();
      informers.set(name, { informer, stop });
      informer.start(AbortSignal.any([signal, stop.signal]));
      return informer;
    },
    forget({ group, plural }) {
      const name = `${group}/${plural}`;
      informers.get(name)?.stop.abort();
      informers.delete(name);
    },
  };
}

/** `namespace`; `owner`: uids of all owners; `orphan`: the namespace, of what no controller owns; `node`: of pods. */
function indexersOf<T extends KubeObject>(kind: KindAddress<T>): Indexers<T> {
  return {
    namespace: ({ metadata }) => (metadata?.namespace ? [metadata.namespace] : []),
    owner: ({ metadata }) => (metadata?.ownerReferences ?? []).map(({ uid }) => uid),
    orphan: (object) => (controllerOf(object) ? [] : [object.metadata?.namespace ?? '']),
    ...(kind.kind === 'Pod' && {
      node: (pod: T) => {
        const { nodeName } = (pod as Pod).spec ?? {};
        return nodeName ? [nodeName] : [];
      },
    }),
  };
}
