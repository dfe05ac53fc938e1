import type { Column } from '../kind.ts';
import type { HorizontalPodAutoscaler } from '../kinds/horizontalPodAutoscaler.ts';
import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '../parts/metricSpec.ts';
import { ageColumn, nameColumn } from '../table.ts';

/** So many metrics are shown; the rest is counted. */
const metricsMax = 2;

/** What `kubectl get hpa` shows; the rules are those of Kubernetes' own printer (`formatHPAMetrics`). */
export const horizontalPodAutoscalerColumns: Column<HorizontalPodAutoscaler>[] = [
  nameColumn,
  {
    name: 'Reference',
    doc: 'What is scaled.',
    value: ({ spec }) => `${spec?.scaleTargetRef?.kind}/${spec?.scaleTargetRef?.name}`,
  },
  {
    name: 'Targets',
    doc: 'What the metrics say, and what is aimed at.',
    value: ({ spec, status }) => targetsText(spec?.metrics ?? [], status?.currentMetrics ?? []),
  },
  {
    name: 'MinPods',
    doc: 'No fewer pods than this.',
    value: ({ spec }) => String(spec?.minReplicas ?? '<unset>'),
  },
  {
    name: 'MaxPods',
    doc: 'No more pods than this.',
    value: ({ spec }) => spec?.maxReplicas ?? 0,
  },
  {
    name: 'Replicas',
    doc: 'How many pods there are.',
    value: ({ status }) => status?.currentReplicas ?? 0,
  },
  ageColumn,
];

function targetsText(specs: readonly MetricSpec[], statuses: readonly MetricStatus[]): string {
  if (specs.length === 0) return '<none>';
  const texts = specs.slice(0, metricsMax).map((spec, at) => targetText(spec, statuses[at]));
  const more = specs.length - metricsMax;
  return `${texts.join(', ')}${more > 0 ? ` + ${more} more...` : ''}`;
}

function targetText(spec: MetricSpec, status: MetricStatus | undefined): string {
  const { external, object, pods, resource, containerResource } = spec;
  if (external) return valueText(external.target, status?.external?.current);
  if (pods) return `${status?.pods?.current.averageValue ?? '<unknown>'}/${pods.target.averageValue}`;
  if (object) return valueText(object.target, status?.object?.current);
  if (resource) return resourceText(resource.name, resource.target, status?.resource?.current);
  if (!containerResource) return '<unknown type>';
  return resourceText(containerResource.name, containerResource.target, status?.containerResource?.current);
}

function valueText({ averageValue, value }: MetricTarget, current: MetricValueStatus | undefined): string {
  if (averageValue === undefined) return `${current?.value ?? '<unknown>'}/${value}`;
  return `${current?.averageValue ?? '<unknown>'}/${averageValue} (avg)`;
}

function resourceText(name: string, target: MetricTarget, current: MetricValueStatus | undefined): string {
  if (target.averageValue !== undefined) {
    return `${name}: ${current?.averageValue ?? '<unknown>'}/${target.averageValue}`;
  }
  const { averageUtilization: used } = current ?? {};
  const aim = target.averageUtilization === undefined ? '<auto>' : `${target.averageUtilization}%`;
  return `${name}: ${used === undefined ? '<unknown>' : `${used}%`}/${aim}`;
}
