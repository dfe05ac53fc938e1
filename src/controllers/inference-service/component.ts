import { modelServerImage } from '../../api/kinds/clusterServingRuntime.ts';
import type { Deployment } from '../../api/kinds/deployment.ts';
import {
  type InferenceService,
  inferenceService as inferenceServiceKind,
  podFieldNames,
} from '../../api/kinds/inferenceService.ts';
import type { Service } from '../../api/kinds/service.ts';
import { modelOfAnnotation, modelVolumeAnnotation } from '../../api/model-annotations.ts';
import { controllerReference } from '../owner.ts';
import { type ComponentName, componentName, inferenceServiceLabel } from './names.ts';
import { modelFolder, modelVolume, type Storage } from './storage.ts';
import { hostOf } from './storage-access.ts';

const egressAnnotation = 'selvage.dev/egress';
const httpPort = 8080;
const grpcPort = 8081;
/** Bounds of the model server's own options. */
const batchRowsMax = 32;
const batchLatencyMsMax = 5;

/** A pod that goes serves on until callers have heard of it: else they would meet connections that just close. */
const drainSeconds = 3;

export type Template = NonNullable<Deployment['spec']>['template'];
type PodSpec = NonNullable<Template['spec']>;

/** The Deployment of one component, or of its canary; `name` is also what its pods are selected by. */
export function deploymentFor(
  inference: InferenceService,
  component: ComponentName,
  made: { name: string; replicas: number; template: Template; annotations?: Record<string, string> },
): Deployment {
  const { deploymentStrategy } = inference.spec![component]!;
  const selector = { app: made.name };
  return {
    metadata: metadataFor(inference, component, made),
    spec: {
      replicas: made.replicas,
      selector: { matchLabels: selector },
      ...(deploymentStrategy !== undefined && {
        // The API keeps this field as it comes; the Deployment's own validation reads it.
        strategy: deploymentStrategy as NonNullable<Deployment['spec']>['strategy'],
      }),
      template: {
        metadata: templateMetadata(made),
        spec: {
          // Without a wish of its own a component spreads over the sites, so that each has it near.
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'topology.kubernetes.io/zone',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: selector },
            },
          ],
          ...made.template.spec!,
        },
      },
    },
  };
}

/** A pod that shows a model asks the Deployment that it is of which one. */
function templateMetadata({ name, template }: { name: string; template: Template }): Template['metadata'] {
  const { metadata } = template;
  const hasModel = metadata?.annotations?.[modelVolumeAnnotation] !== undefined;
  return {
    ...metadata,
    labels: { ...metadata?.labels, app: name },
    ...(hasModel && { annotations: { ...metadata.annotations, [modelOfAnnotation]: name } }),
  };
}

/** As KServe does it, the first port of the first container is the Service's port 80; others keep their number. */
export function serviceFor(
  inference: InferenceService,
  component: ComponentName,
  made: { name: string; template: Template; annotations?: Record<string, string> },
): Service {
  const [first, ...others] = made.template.spec?.containers[0]?.ports ?? [];
  return {
    metadata: metadataFor(inference, component, made),
    spec: {
      selector: { app: made.name },
      ports: [
        {
          name: first?.name || 'http',
          port: 80,
          targetPort: first?.containerPort ?? httpPort,
          protocol: 'TCP',
        },
        ...others.map(({ name, containerPort, protocol = 'TCP' }) => ({
          name: name || `port-${containerPort}`,
          port: containerPort,
          targetPort: containerPort,
          protocol,
          ...(name === 'h2c' && { appProtocol: 'kubernetes.io/h2c' }),
        })),
      ],
      trafficDistribution: 'PreferClose',
    },
  };
}

function metadataFor(
  inference: InferenceService,
  component: ComponentName,
  { name, annotations }: { name: string; annotations?: Record<string, string> },
) {
  return {
    name,
    namespace: inference.metadata?.namespace ?? '',
    labels: { app: name, ...labelsOf(inference, component) },
    ...(annotations && { annotations }),
    ownerReferences: [controllerReference(inferenceServiceKind, inference)],
  };
}

function labelsOf(inference: InferenceService, component: ComponentName): Record<string, string> {
  return { [inferenceServiceLabel]: inference.metadata?.name ?? '', component };
}

export function predictorTemplate(inference: InferenceService, storage: Storage | undefined): Template {
  const { predictor } = inference.spec!;
  const { model, containers = [] } = predictor;
  const pod = podPartOf(predictor);
  if (!model) return templateOf(inference, 'predictor', {}, { ...pod, containers });
  const logsTo = predictor.logger?.url && hostOf(predictor.logger.url);
  const grants = [predictor.annotations?.[egressAnnotation], storage?.egress, logsTo];
  const egress = [...new Set(grants.filter(Boolean))].join(',');
  return templateOf(
    inference,
    'predictor',
    {
      ...(storage?.reference && { [modelVolumeAnnotation]: modelVolume }),
      ...(egress !== '' && { [egressAnnotation]: egress }),
    },
    {
      ...pod,
      ...(storage?.initContainer && {
        initContainers: [storage.initContainer, ...(pod.initContainers ?? [])],
      }),
      containers: [modelContainer(inference, storage), ...containers],
      ...((storage || pod.volumes) && {
        volumes: [...(storage ? [storage.volume, ...(storage.volumes ?? [])] : []), ...(pod.volumes ?? [])],
      }),
    },
  );
}

/** What serves the model: every field of a container may be set beside it. */
function modelContainer(
  inference: InferenceService,
  storage: Storage | undefined,
): PodSpec['containers'][number] {
  const { model, batcher, containerConcurrency, timeout, logger } = inference.spec!.predictor;
  const {
    name,
    modelFormat: _modelFormat,
    protocolVersion: _protocolVersion,
    runtime: _runtime,
    runtimeVersion: _runtimeVersion,
    storage: _storage,
    storageUri: _storageUri,
    image = modelServerImage,
    ...container
  } = model!;
  const mount = {
    name: modelVolume,
    mountPath: modelFolder,
    readOnly: true,
    ...(storage?.subPath && { subPath: storage.subPath }),
  };
  const mounts = [...(storage ? [mount] : []), ...(container.volumeMounts ?? [])];
  return {
    readinessProbe: { httpGet: { path: '/v2/health/ready', port: httpPort }, periodSeconds: 2 },
    ports: [
      { name: 'http', containerPort: httpPort, protocol: 'TCP' },
      // KServe's and Knative's name for HTTP/2 without TLS, which is gRPC's.
      { name: 'h2c', containerPort: grpcPort, protocol: 'TCP' },
    ],
    lifecycle: { preStop: { sleep: { seconds: drainSeconds } } },
    ...container,
    // In the model's field its default cannot be told from a wish; a file that is written comes first in both.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    name: 'kserve-container',
    image,
    env: withOwn(container.env, [
      { name: 'MODEL_NAME', value: name || inference.metadata?.name || '' },
      ...optional('BATCH_ROWS_MAX', batcher?.maxBatchSize, batchRowsMax),
      ...optional('BATCH_LATENCY_MS', batcher?.maxLatency, batchLatencyMsMax),
      ...optional('REQUESTS_MAX', containerConcurrency || undefined),
      ...optional('REQUEST_TIMEOUT_SECONDS', timeout),
      ...(logger?.url ? loggerVariables(inference, logger.url, logger.mode) : []),
      ...explainerVariable(inference),
    ]),
    ...(mounts.length > 0 && { volumeMounts: mounts }),
  };
}

/** A transformer's or explainer's pods are told where the predictor is, by arguments (as KServe does) and variables. */
export function companionTemplate(
  inference: InferenceService,
  component: 'transformer' | 'explainer',
): Template {
  const { containers = [], ...spec } = inference.spec![component]!;
  const host = `${componentName(inference, 'predictor')}.${inference.metadata?.namespace}`;
  const modelName = inference.spec?.predictor.model?.name || inference.metadata?.name || '';
  const [first, ...others] = containers;
  const told = {
    ...first!,
    args: [...(first?.args ?? []), '--model_name', modelName, '--predictor_host', host],
    env: [
      { name: 'PREDICTOR_HOST', value: host },
      { name: 'MODEL_NAME', value: modelName },
      ...(component === 'transformer' ? explainerVariable(inference) : []),
      ...(first?.env ?? []),
    ],
    ports: first?.ports ?? [{ name: 'http', containerPort: httpPort, protocol: 'TCP' }],
  };
  return templateOf(inference, component, {}, { ...podPartOf(spec), containers: [told, ...others] });
}

/** What of a component is a pod's. */
function podPartOf(component: object): Partial<PodSpec> {
  return Object.fromEntries(Object.entries(component).filter(([name]) => podFieldNames.has(name)));
}

function templateOf(
  inference: InferenceService,
  component: ComponentName,
  added: Record<string, string>,
  spec: PodSpec,
): Template {
  const own = inference.spec![component]!;
  const annotations = { ...own.annotations, ...added };
  return {
    metadata: {
      labels: { ...own.labels, ...labelsOf(inference, component) },
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec,
  };
}

/** Who is asked for explanations where the InferenceService is. */
function explainerVariable(inference: InferenceService): { name: string; value: string }[] {
  if (!inference.spec?.explainer) return [];
  const host = `${componentName(inference, 'explainer')}.${inference.metadata?.namespace}`;
  return [{ name: 'EXPLAINER_HOST', value: host }];
}

function loggerVariables({ metadata }: InferenceService, url: string, mode: string | undefined) {
  return Object.entries({
    LOGGER_URL: url,
    LOGGER_MODE: mode || 'all',
    LOGGER_INFERENCE_SERVICE: metadata?.name ?? '',
    LOGGER_NAMESPACE: metadata?.namespace ?? '',
  }).map(([name, value]) => ({ name, value }));
}

/** Variables that the model sets itself come in the place of those that would be set for it. */
function withOwn(
  own: PodSpec['containers'][number]['env'] = [],
  others: { name: string; value: string }[],
): NonNullable<typeof own> {
  return [...others.filter(({ name }) => own.every((each) => each.name !== name)), ...own];
}

function optional(name: string, value: number | undefined, highest = Number.POSITIVE_INFINITY) {
  return value === undefined ? [] : [{ name, value: String(Math.min(value, highest)) }];
}
