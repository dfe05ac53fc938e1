import { type Pod, pod as podKind } from '../api/kinds/pod.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import type { Client } from '../client/client.ts';
import type { VolumeBinder } from './volume-binder.ts';
import type { VolumePlan } from './volumes.ts';

interface Binding extends KubeObject {
  target: { apiVersion: 'v1'; kind: 'Node'; name: string };
}

/** Writes decisions down: first the pod's volumes, then its node. */
export class Binder {
  #client: Client;
  #volumes: VolumeBinder;

  constructor({ client, volumes }: { client: Client; volumes: VolumeBinder }) {
    this.#client = client;
    this.#volumes = volumes;
  }

  async bind(pod: Pod, nodeName: string, plan: VolumePlan | undefined, signal: AbortSignal): Promise<void> {
    if (!plan || plan.bind.length + plan.provision.length === 0) return this.#bindPod(pod, nodeName);
    this.#volumes.assume(plan);
    try {
      await this.#volumes.bind(plan, nodeName, signal);
      await this.#bindPod(pod, nodeName);
    } finally {
      this.#volumes.forget(plan);
    }
  }

  async #bindPod(pod: Pod, nodeName: string): Promise<void> {
    const { name, namespace, uid } = pod.metadata ?? {};
    const binding: Binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { ...(name && { name }), ...(namespace && { namespace }), ...(uid && { uid }) },
      target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
    };
    // The binding subresource takes a Binding and answers with a Status.
    await this.#client.create(podKind as KindAddress<KubeObject>, binding, { subresource: 'binding' });
  }
}
