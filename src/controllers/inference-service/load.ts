import type { Pod } from '../../api/kinds/pod.ts';
import { pod as podKind } from '../../api/kinds/pod.ts';
import type { KindAddress, KubeObject } from '../../api/object.ts';
import type { Client } from '../../client/client.ts';
import type { Load } from './scale.ts';

/** What a pod's model server counted until a moment. */
interface Sample {
  atMs: number;
  count: number;
}

/** Asks the model servers of a predictor, through the API's pod proxy, what they had to do and how it looked. */
export class Loads {
  readonly #client: Client;
  readonly #samples = new Map<string, Sample>();

  constructor(client: Client) {
    this.#client = client;
  }

  /** Requests since the last look, by all pods; undefined at the first look, or while no pod answers. */
  async of(
    pods: readonly Pod[],
    model: string,
    nowMs: number,
  ): Promise<(Load & { requests: number }) | undefined> {
    let [requests, rps, concurrency, answers] = [0, 0, 0, 0];
    for (const pod of pods) {
      const { count, latencyMs } = (await this.#statistics(pod, model)) ?? {};
      if (count === undefined) continue;
      const uid = pod.metadata?.uid ?? '';
      const before = this.#samples.get(uid);
      this.#samples.set(uid, { atMs: nowMs, count });
      // A new pod has counted from zero; how long that took is not known.
      const done = Math.max(0, count - (before?.count ?? 0));
      requests += done;
      if (!before || nowMs <= before.atMs) continue;
      const perSecond = done / ((nowMs - before.atMs) / 1000);
      answers += 1;
      rps += perSecond;
      // Little's law: those in flight are those that come while one is answered.
      concurrency += perSecond * ((latencyMs ?? 0) / 1000);
    }
    return answers > 0 || requests > 0 ? { requests, rps, concurrency } : undefined;
  }

  async drift(pods: readonly Pod[], model: string): Promise<unknown[]> {
    return Promise.all(pods.map((pod) => this.#ask(pod, `v2/models/${encodeURIComponent(model)}/drift`)));
  }

  forget(uids: ReadonlySet<string>): void {
    for (const uid of this.#samples.keys()) if (!uids.has(uid)) this.#samples.delete(uid);
  }

  async #statistics(pod: Pod, model: string): Promise<{ count?: number; latencyMs?: number }> {
    const told = await this.#ask(pod, `v2/models/${encodeURIComponent(model)}/stats`);
    const stats = (told as { model_stats?: Record<string, unknown>[] } | undefined)?.model_stats?.[0];
    const count = Number(stats?.inference_count);
    const latencyMs = Number((stats?.parameters as Record<string, unknown> | undefined)?.latency_p50_ms);
    return { ...(Number.isFinite(count) && { count }), ...(Number.isFinite(latencyMs) && { latencyMs }) };
  }

  /** Undefined if the pod has no answer: it is just coming or going, or is no model server of ours. */
  async #ask({ metadata }: Pod, path: string): Promise<unknown> {
    const key = { namespace: metadata?.namespace, name: `${metadata?.name}:8080` };
    const kind = podKind as KindAddress<KubeObject>;
    return this.#client.get(kind, key, { subresource: `proxy/${path}` }).catch(() => undefined);
  }
}
