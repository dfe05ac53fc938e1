import type { Pod } from '../../api/kinds/pod.ts';
import type { MetricSpec, MetricStatus, MetricValueStatus } from '../../api/parts/metricSpec.ts';
import { formatQuantity, quantityNumber } from '../../api/quantity.ts';
import { messageOf } from '../../base/errors.ts';
import type { MetricsSource } from './metrics.ts';
import {
  type Answer,
  replicasForPerPodValue,
  replicasForUtilization,
  replicasForValue,
  replicasForWholeValue,
} from './replicas.ts';

/** How many replicas one metric asks for. */
export interface Proposal {
  replicas: number;
  /** What it follows from, in words. */
  metric: string;
  status: MetricStatus;
}

export interface Failure {
  reason: string;
  /** Why the metric can't be told. */
  message: string;
  /** Of which metric. */
  about: string;
}

/** What is scaled. */
export interface Subject {
  namespace: string;
  selector: string;
  pods: readonly Pod[];
  /** Pods that are wanted. */
  specReplicas: number;
  /** Pods that there are. */
  statusReplicas: number;
  nowMs: number;
}

/** What a metric asks for, or why that can't be told, in kube-controller-manager's words. */
export async function propose(
  spec: MetricSpec,
  subject: Subject,
  source: MetricsSource,
): Promise<Proposal | Failure> {
  try {
    if (spec.type === 'Pods') return await fromPods(spec.pods!, subject, source);
    if (spec.type === 'Object') return await fromObject(spec.object!, subject, source);
    if (spec.type === 'External') return await fromExternal(spec.external!, subject, source);
    return await fromResource(spec, subject, source);
  } catch (error) {
    const message = messageOf(error);
    return {
      reason: `FailedGet${spec.type}Metric`,
      message,
      about: `failed to get ${aboutOf(spec)}: ${message}`,
    };
  }
}

function aboutOf({ type, resource, containerResource }: MetricSpec): string {
  if (resource) return `${resource.name} resource metric value`;
  if (containerResource) return `${containerResource.name} container metric value`;
  return `${type.toLowerCase()} metric value`;
}

async function fromResource(spec: MetricSpec, subject: Subject, source: MetricsSource): Promise<Proposal> {
  const asked = spec.containerResource ?? spec.resource!;
  const { name, target } = asked;
  const container = spec.containerResource?.container;
  const isValue = target.averageValue !== undefined;
  const answer = await measured(`${name} ${isValue ? 'usage' : 'utilization'}`, async () => {
    const metrics = await measured(
      `metrics for resource ${name}`,
      () => source.resource({ ...subject, resource: name, container }),
      'unable to get',
    );
    if (subject.pods.length === 0) {
      throw new Error('no pods returned by selector while calculating replica count');
    }
    const question = questionOf(subject, metrics, {
      resource: name,
      ...(container !== undefined && { container }),
    });
    return isValue
      ? replicasForValue(question, quantityNumber(target.averageValue!))
      : replicasForUtilization(question, target.averageUtilization!);
  });
  const current = { averageValue: quantity(answer.averageValue), ...utilizationOf(answer) };
  const [words, status]: [string, MetricStatus] =
    container === undefined
      ? ['resource', { type: 'Resource', resource: { name, current } }]
      : [
          'container resource',
          { type: 'ContainerResource', containerResource: { name, container, current } },
        ];
  // Kubernetes says `resource` for the raw values of containers too.
  const metric = isValue ? `${name} resource` : `${name} ${words} utilization (percentage of request)`;
  return { replicas: answer.replicas, metric, status };
}

async function fromPods(
  { metric, target }: NonNullable<MetricSpec['pods']>,
  subject: Subject,
  source: MetricsSource,
): Promise<Proposal> {
  const ask = source.pods ?? notServed('custom');
  const metrics = await measured(`metric ${metric.name}`, () => ask({ ...subject, metric }), 'unable to get');
  const answer = replicasForValue(questionOf(subject, metrics), quantityNumber(target.averageValue!));
  const current = { averageValue: quantity(answer.averageValue) };
  const status: MetricStatus = { type: 'Pods', pods: { metric, current } };
  return { replicas: answer.replicas, metric: `pods metric ${metric.name}`, status };
}

async function fromObject(
  { metric, target, describedObject }: NonNullable<MetricSpec['object']>,
  subject: Subject,
  source: MetricsSource,
): Promise<Proposal> {
  const ask = source.object ?? notServed('custom');
  const { kind, name } = describedObject;
  const { namespace } = subject;
  const what = `metric ${metric.name}: ${kind} on ${namespace} ${name}`;
  const usage = await measured(
    what,
    () => ask({ namespace, object: describedObject, metric }),
    'unable to get',
  );
  const { replicas, current } = fromWhole(usage, target, subject);
  const status: MetricStatus = { type: 'Object', object: { metric, describedObject, current } };
  return { replicas, metric: `${kind} metric ${metric.name}`, status };
}

async function fromExternal(
  { metric, target }: NonNullable<MetricSpec['external']>,
  subject: Subject,
  source: MetricsSource,
): Promise<Proposal> {
  const ask = source.external ?? notServed('external');
  const { namespace } = subject;
  const what = `external metric ${namespace}/${metric.name}`;
  const usage = await measured(what, () => ask({ namespace, metric }), 'unable to get');
  const { replicas, current } = fromWhole(usage, target, subject);
  const status: MetricStatus = { type: 'External', external: { metric, current } };
  return { replicas, metric: `external metric ${metric.name}`, status };
}

function fromWhole(
  usage: number,
  { value, averageValue }: { value?: string; averageValue?: string },
  { pods, specReplicas, statusReplicas }: Subject,
): { replicas: number; current: MetricValueStatus } {
  if (averageValue === undefined) {
    const replicas = replicasForWholeValue(usage, quantityNumber(value!), {
      pods,
      currentReplicas: specReplicas,
    });
    return { replicas, current: { value: quantity(usage) } };
  }
  const answer = replicasForPerPodValue(usage, quantityNumber(averageValue), statusReplicas);
  return { replicas: answer.replicas, current: { averageValue: quantity(answer.averageValue) } };
}

function questionOf(
  { pods, specReplicas, nowMs }: Subject,
  metrics: Parameters<typeof replicasForValue>[0]['metrics'],
  of: { resource?: string; container?: string } = {},
) {
  return { pods, metrics, currentReplicas: specReplicas, nowMs, ...of };
}

/** Says of a failure what was looked for. */
async function measured<T>(what: string, ask: () => Promise<T>, verb = 'failed to get'): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw new Error(`${verb} ${what}: ${messageOf(error)}`, { cause: error });
  }
}

function notServed(group: 'custom' | 'external'): () => Promise<never> {
  return async () => {
    const api = `no ${group} metrics API (${group}.metrics.k8s.io) registered`;
    throw new Error(`unable to fetch metrics from ${group} metrics API: ${api}`);
  };
}

const utilizationOf = ({ utilization }: Answer) =>
  utilization === undefined ? {} : { averageUtilization: utilization };

/** To the thousandth, as Kubernetes keeps them. */
function quantity(value: number): string {
  return formatQuantity({ nanos: BigInt(Math.round(value * 1000)) * 1_000_000n, format: 'decimal' });
}
