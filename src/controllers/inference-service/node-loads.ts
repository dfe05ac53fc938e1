import { node as nodeKind } from '../../api/kinds/node.ts';
import type { KindAddress, KubeObject } from '../../api/object.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client } from '../../client/client.ts';

/** What a pod's servers had to do since it began. */
export interface PodLoad {
  requests: number;
  busyMs: number;
  active: number;
}

/** A node that was asked a moment ago is not asked again. */
const freshMs = 1_000;
/** A node that takes longer doesn't answer. */
const answerMs = 5_000;
const nodesMax = 10_000;

type Loads = ReadonlyMap<string, PodLoad>;

/** Asks nodes what their pods had to do: their kubelets count the requests of all pods. */
export class NodeLoads {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #asked = new Map<string, { atMs: number; answer: Promise<Loads | undefined> }>();

  constructor(options: { client: Client; clock: Clock }) {
    this.#client = options.client;
    this.#clock = options.clock;
  }

  /** By pod UID; a pod that nobody asked anything yet is not among them. Undefined if the node doesn't answer. */
  of(node: string): Promise<Loads | undefined> {
    const nowMs = this.#clock.nowMs();
    const known = this.#asked.get(node);
    if (known && nowMs - known.atMs < freshMs) return known.answer;
    const answer = this.#ask(node);
    this.#asked.delete(node);
    this.#asked.set(node, { atMs: nowMs, answer });
    const oldest = this.#asked.keys().next().value;
    if (this.#asked.size > nodesMax && oldest !== undefined) this.#asked.delete(oldest);
    return answer;
  }

  async #ask(name: string): Promise<Loads | undefined> {
    try {
      const options = { subresource: 'proxy/stats/summary', signal: AbortSignal.timeout(answerMs) };
      // What comes back is no object of the API.
      const summary: unknown = await this.#client.get(nodeKind as KindAddress<KubeObject>, { name }, options);
      return loadsIn(summary);
    } catch {
      return undefined;
    }
  }
}

interface Summary {
  pods?: {
    podRef?: { uid?: string };
    containers?: { userDefinedMetrics?: { name?: string; value?: number }[] }[];
  }[];
}

/** Kubelet's `/stats/summary`; a pod's containers are counted together. */
function loadsIn(summary: unknown): Loads {
  const loads = new Map<string, PodLoad>();
  for (const { podRef, containers = [] } of (summary as Summary).pods ?? []) {
    const metrics = containers.flatMap(({ userDefinedMetrics = [] }) => userDefinedMetrics);
    const sum = (wanted: string) =>
      metrics.reduce((total, { name, value }) => total + (name === wanted ? Number(value) || 0 : 0), 0);
    if (metrics.length === 0 || !podRef?.uid) continue;
    loads.set(podRef.uid, {
      requests: sum('requests'),
      busyMs: sum('request_milliseconds'),
      active: sum('requests_active'),
    });
  }
  return loads;
}
