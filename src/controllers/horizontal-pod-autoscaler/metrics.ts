import type { KindAddress, KubeObject } from '../../api/object.ts';
import { quantityNumber } from '../../api/quantity.ts';
import type { Client } from '../../client/client.ts';
import type { PodMetric, PodMetrics } from './replicas.ts';

interface MeasuredPod extends KubeObject {
  timestamp?: string;
  window?: string;
  containers?: { name: string; usage: Record<string, string> }[];
}

const podMetrics: KindAddress<MeasuredPod> = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'PodMetrics',
  plural: 'pods',
  namespaced: true,
};

/** Where an autoscaler learns what pods use; other sources than `metrics.k8s.io` implement it too. */
export interface MetricsSource {
  resource(of: {
    namespace: string;
    selector: string;
    resource: string;
    container: string | undefined;
  }): Promise<PodMetrics>;
}

/** The `metrics.k8s.io` API. */
export function resourceMetrics(client: Client): MetricsSource {
  return {
    async resource({ namespace, selector, resource, container }) {
      const { items } = await client.list(podMetrics, { namespace, labelSelector: selector });
      const found = new Map<string, PodMetric>();
      for (const { metadata, timestamp = '', window = '', containers = [] } of items) {
        const counted = containers.filter(({ name }) => container === undefined || name === container);
        const values = counted.flatMap(({ usage }) => usage[resource] ?? []);
        if (values.length === 0 || values.length < counted.length) continue;
        const value = values.reduce((sum, text) => sum + quantityNumber(text), 0);
        const windowMs = (Number.parseFloat(window) || 0) * 1000;
        found.set(metadata?.name ?? '', { value, atMs: Date.parse(timestamp) || 0, windowMs });
      }
      if (found.size === 0) throw new Error('no metrics returned from resource metrics API');
      return found;
    },
  };
}
