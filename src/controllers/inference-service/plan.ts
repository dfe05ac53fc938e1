import { conditionOf } from '../../api/conditions.ts';
import type { Deployment } from '../../api/kinds/deployment.ts';
import {
  type InferenceService,
  type InferenceServiceCondition,
  type InferenceServiceStatus,
  inferenceService as inferenceServiceKind,
} from '../../api/kinds/inferenceService.ts';
import type { Service } from '../../api/kinds/service.ts';
import { toTime } from '../../base/clock.ts';
import { controllerReference } from '../owner.ts';
import { withCondition } from '../write-status.ts';

export const modelServerImage = 'selvage.dev/builtin/model-server';
const modelFolder = '/mnt/models';
const serverPort = 8080;
const ociScheme = 'oci://';
const inferenceServiceLabel = 'serving.kserve.io/inferenceservice';

export type InferencePlan =
  | { deployment: Deployment; service: Service }
  /** The specification asks for something that is not offered: what, and what is. */
  | { problem: string };

/** The Deployment and the Service that serve the model. Both kinds are there, whatever the model's name. */
export function plan(inference: InferenceService): InferencePlan {
  const problem = problemOf(inference);
  if (problem) return { problem };
  return { deployment: deploymentFor(inference), service: serviceFor(inference) };
}

function problemOf({ spec, metadata }: InferenceService): string | undefined {
  const { model } = spec?.predictor ?? {};
  if (!model) return 'spec.predictor.model: Required value: name the model format and the storageUri';
  if (model.modelFormat.name !== 'onnx') {
    return `spec.predictor.model.modelFormat.name: Unsupported value: "${model.modelFormat.name}": supported values: "onnx"`;
  }
  if (!model.storageUri?.startsWith(ociScheme)) {
    return `spec.predictor.model.storageUri: Invalid value: "${model.storageUri ?? ''}": must be oci://<name>:<tag>`;
  }
  return (metadata?.name ?? '').length > 53
    ? 'metadata.name: Too long: may not be more than 53 characters'
    : undefined;
}

export function predictorName({ metadata }: InferenceService): string {
  return `${metadata?.name}-predictor`;
}

function deploymentFor(inference: InferenceService): Deployment {
  const { predictor } = inference.spec!;
  const {
    model,
    minReplicas,
    maxReplicas: _maxReplicas,
    scaleTarget: _scaleTarget,
    scaleMetric: _scaleMetric,
    scaleMetricType: _scaleMetricType,
    autoScaling: _autoScaling,
    containerConcurrency: _containerConcurrency,
    timeout: _timeout,
    canaryTrafficPercent: _canaryTrafficPercent,
    logger: _logger,
    batcher: _batcher,
    annotations,
    labels,
    deploymentStrategy,
    workerSpec: _workerSpec,
    containers: sidecars = [],
    ...pod
  } = predictor;
  const selector = { app: predictorName(inference) };
  const own = {
    ...selector,
    [inferenceServiceLabel]: inference.metadata?.name ?? '',
    component: 'predictor',
  };
  const { name: modelName, resources, env = [], args, image } = model!;
  return {
    metadata: metadataFor(inference, own),
    spec: {
      replicas: minReplicas ?? 1,
      selector: { matchLabels: selector },
      ...(deploymentStrategy !== undefined && {
        // The API keeps this field as it comes; the Deployment's own validation reads it.
        strategy: deploymentStrategy as NonNullable<Deployment['spec']>['strategy'],
      }),
      template: {
        metadata: { labels: { ...labels, ...own }, ...(annotations && { annotations }) },
        spec: {
          // Without a wish of its own a predictor spreads over the sites, so that each has it near.
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'topology.kubernetes.io/zone',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: selector },
            },
          ],
          ...pod,
          containers: [
            {
              name: 'kserve-container',
              image: image || modelServerImage,
              ...(args && { args }),
              env: [{ name: 'MODEL_NAME', value: modelName || inference.metadata?.name || '' }, ...env],
              ports: [{ name: 'http', containerPort: serverPort, protocol: 'TCP' }],
              readinessProbe: { httpGet: { path: '/v2/health/ready', port: serverPort }, periodSeconds: 2 },
              ...(resources && { resources }),
              volumeMounts: [{ name: 'model', mountPath: modelFolder, readOnly: true }],
            },
            ...sidecars,
          ],
          volumes: [
            { name: 'model', image: { reference: model!.storageUri!.slice(ociScheme.length) } },
            ...(pod.volumes ?? []),
          ],
        },
      },
    },
  };
}

function serviceFor(inference: InferenceService): Service {
  const selector = { app: predictorName(inference) };
  return {
    metadata: metadataFor(inference, {
      ...selector,
      [inferenceServiceLabel]: inference.metadata?.name ?? '',
      component: 'predictor',
    }),
    spec: {
      selector,
      ports: [{ name: 'http', port: 80, targetPort: serverPort, protocol: 'TCP' }],
      trafficDistribution: 'PreferClose',
    },
  };
}

function metadataFor(inference: InferenceService, labels: Record<string, string>) {
  return {
    name: predictorName(inference),
    namespace: inference.metadata?.namespace ?? '',
    labels,
    ownerReferences: [controllerReference(inferenceServiceKind, inference)],
  };
}

/** `problem` is what keeps the model from being served, if the plan or another object stands in the way. */
export function statusOf(
  inference: InferenceService,
  deployment: Deployment | undefined,
  nowMs: number,
  problem?: string,
): InferenceServiceStatus {
  const url = `http://${predictorName(inference)}.${inference.metadata?.namespace}.svc.cluster.local`;
  const available = deployment && conditionOf(deployment, 'Available');
  const isReady =
    !problem && available?.status === 'True' && (deployment?.status?.availableReplicas ?? 0) > 0;
  const why = problem
    ? { reason: 'InvalidPredictor', message: problem }
    : {
        reason: available?.reason ?? 'PredictorNotReady',
        message: available?.message ?? 'The predictor is being started.',
      };
  const say = (type: string, isTrue: boolean): InferenceServiceCondition => ({
    type,
    status: isTrue ? 'True' : 'False',
    lastTransitionTime: toTime(nowMs),
    ...(!isTrue && why),
  });
  let conditions = [...(inference.status?.conditions ?? [])];
  for (const next of [say('PredictorReady', isReady), say('IngressReady', !problem), say('Ready', isReady)]) {
    conditions = withCondition(conditions, next);
  }
  return {
    observedGeneration: inference.metadata?.generation ?? 0,
    conditions,
    ...(!problem && { url, address: { url }, components: { predictor: { url } } }),
  };
}
