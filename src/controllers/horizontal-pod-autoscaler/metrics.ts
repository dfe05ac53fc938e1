import type { KindAddress, KubeObject } from '../../api/object.ts';
import type { CrossVersionObjectReference, MetricIdentifier } from '../../api/parts/metricSpec.ts';
import { quantityNumber } from '../../api/quantity.ts';
import { messageOf } from '../../base/errors.ts';
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

/** Where an autoscaler learns what pods use and how much there is to do. What is absent is served by nobody. */
export interface MetricsSource {
  resource(of: {
    namespace: string;
    selector: string;
    resource: string;
    container: string | undefined;
  }): Promise<PodMetrics>;
  /** A metric of each pod. */
  pods?(of: { namespace: string; selector: string; metric: MetricIdentifier }): Promise<PodMetrics>;
  /** A metric of one object, in its own unit. */
  object?(of: {
    namespace: string;
    object: CrossVersionObjectReference;
    metric: MetricIdentifier;
  }): Promise<number>;
  /** The sum of a metric that belongs to no object, in its own unit. */
  external?(of: { namespace: string; metric: MetricIdentifier }): Promise<number>;
}

/** The `metrics.k8s.io` API. */
export function resourceMetrics(client: Client): MetricsSource {
  return {
    async resource({ namespace, selector, resource, container }) {
      const { items } = await client
        .list(podMetrics, { namespace, labelSelector: selector })
        .catch((error: unknown) => {
          throw new Error(`unable to fetch metrics from resource metrics API: ${messageOf(error)}`);
        });
      if (items.length === 0) throw new Error('no metrics returned from resource metrics API');
      const found = new Map<string, PodMetric>();
      for (const { metadata, timestamp = '', window = '', containers = [] } of items) {
        const counted = containers.filter(({ name }) => container === undefined || name === container);
        if (container !== undefined && counted.length === 0) {
          throw new Error(
            `container ${container} not present in metrics for pod ${namespace}/${metadata?.name}`,
          );
        }
        const values = counted.flatMap(({ usage }) => usage[resource] ?? []);
        if (values.length === 0 || values.length < counted.length) continue;
        const value = values.reduce((sum, text) => sum + quantityNumber(text), 0);
        const windowMs = (Number.parseFloat(window) || 0) * 1000;
        found.set(metadata?.name ?? '', { value, atMs: Date.parse(timestamp) || 0, windowMs });
      }
      return found;
    },
  };
}
