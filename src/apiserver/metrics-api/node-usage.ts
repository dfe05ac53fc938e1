import { type Clock, sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Context } from '../context.ts';
import { getFromKubelet, type KubeletDial, kubeletRequest } from '../verbs/log.ts';
import { CpuWindow } from './cpu-rates.ts';

/** What a node and the containers on it use now. */
export interface Usage {
  atMs: number;
  windowMs: number;
  node: Measured | undefined;
  /** By `namespace/pod/container`. */
  containers: ReadonlyMap<string, Measured>;
}

export interface Measured {
  cpuNanocores: number;
  memoryBytes: number;
}

/** The parts of a kubelet's `/stats/summary` that are read. */
interface Summary {
  node?: Stats;
  pods?: { podRef: { namespace: string; name: string }; containers?: (Stats & { name: string })[] }[];
}

interface Stats {
  cpu?: { usageCoreNanoSeconds?: number };
  memory?: { workingSetBytes?: number };
}

const summaryBytesMax = 32 * 1024 * 1024;
const answerTimeoutMs = 5_000;
/** The first question about a node waits so long for a second sample. */
const firstWindowMs = 1_000;
const nodesAtOnce = 16;
const nodeKey = '';

/** Asks kubelets what is used. Nothing is kept but what the next rate is computed from, of nodes asked about lately. */
export class NodeUsage {
  readonly #context: Context;
  readonly #dial: KubeletDial | undefined;
  readonly #windows = new Map<string, CpuWindow>();

  constructor(context: Context, dial: KubeletDial | undefined) {
    this.#context = context;
    this.#dial = dial;
  }

  /** By node; those that don't answer are left out. */
  async of(nodes: readonly string[], signal: AbortSignal | undefined): Promise<Map<string, Usage>> {
    this.#forgetStale(this.#context.clock);
    const waiting = [...nodes];
    const found = new Map<string, Usage>();
    const work = async () => {
      for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
        const usage = await this.#ask(name, signal).catch((error: unknown) => {
          this.#context.log.debug('a node does not tell what it uses', {
            node: name,
            error: messageOf(error),
          });
          return undefined;
        });
        if (usage) found.set(name, usage);
      }
    };
    await Promise.all(Array.from({ length: nodesAtOnce }, work));
    return found;
  }

  async #ask(name: string, signal: AbortSignal | undefined): Promise<Usage | undefined> {
    const first = await this.#sample(name, signal);
    if (first) return first;
    await sleep(this.#context.clock, firstWindowMs, signal);
    return this.#sample(name, signal);
  }

  async #sample(name: string, signal: AbortSignal | undefined): Promise<Usage | undefined> {
    const summary = await this.#summary(name, signal);
    const atMs = this.#context.clock.nowMs();
    const stats = statsOf(summary);
    const nanos = new Map([...stats].map(([key, { cpu }]) => [key, cpu?.usageCoreNanoSeconds ?? 0]));
    let window = this.#windows.get(name);
    if (!window) {
      window = new CpuWindow();
      this.#windows.set(name, window);
    }
    const rates = window.add({ atMs, nanos });
    if (!rates) return undefined;
    const measured = new Map<string, Measured>();
    for (const [key, cpuNanocores] of rates.nanocores) {
      measured.set(key, { cpuNanocores, memoryBytes: stats.get(key)?.memory?.workingSetBytes ?? 0 });
    }
    const node = measured.get(nodeKey);
    measured.delete(nodeKey);
    return { atMs, windowMs: rates.windowMs, node, containers: measured };
  }

  async #summary(name: string, signal: AbortSignal | undefined): Promise<Summary> {
    const timeout = AbortSignal.timeout(answerTimeoutMs);
    const request = await kubeletRequest(this.#context, this.#dial, name, '/stats/summary');
    const response = await getFromKubelet(request, signal ? AbortSignal.any([signal, timeout]) : timeout);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > summaryBytesMax) throw new Error(`its summary is larger than ${summaryBytesMax} bytes`);
      chunks.push(chunk);
    }
    if (response.statusCode !== 200) throw new Error(`the kubelet answered ${response.statusCode}`);
    // Nodes are trusted to send what kubelets send; a missing part counts as nothing used.
    return JSON.parse(Buffer.concat(chunks).toString()) as Summary;
  }

  #forgetStale(clock: Clock): void {
    for (const [name, window] of this.#windows) {
      if (window.isStale(clock.nowMs())) this.#windows.delete(name);
    }
  }
}

function statsOf({ node, pods = [] }: Summary): Map<string, Stats> {
  const stats = new Map<string, Stats>();
  if (node?.cpu) stats.set(nodeKey, node);
  for (const { podRef, containers = [] } of pods) {
    for (const container of containers) {
      stats.set(`${podRef.namespace}/${podRef.name}/${container.name}`, container);
    }
  }
  return stats;
}
