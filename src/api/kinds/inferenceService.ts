import { conditionOf } from '../conditions.ts';
import { type Column, defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { container } from '../parts/container.ts';
import { podSpec } from '../parts/podSpec.ts';
import { openContainerFields } from '../parts/servingRuntime.ts';
import {
  any,
  boolean,
  integer,
  keyedList,
  list,
  map,
  object,
  oneOf,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';

const component = 'io.kserve.serving.v1beta1.';

export const modelFormat = object(
  `${component}ModelFormat`,
  {
    name: required(string({ doc: 'E.g. onnx.' })),
    version: string(),
  },
  { doc: 'The format of a model.' },
);
export type ModelFormat = TypeOf<typeof modelFormat>;

export const storageSpec = object(`${component}StorageSpec`, {
  key: string(),
  parameters: map(string()),
  path: string(),
  schemaPath: string(),
});

/** The model itself, plus any field of the container that serves it. */
export const modelSpec = object(
  `${component}ModelSpec`,
  {
    ...openContainerFields,
    name: string(),
    modelFormat: required(modelFormat),
    protocolVersion: string({ doc: 'v1 or v2 of the inference protocol.' }),
    runtime: string({ doc: 'The ServingRuntime to use.' }),
    runtimeVersion: string({ doc: 'The version of the runtime.' }),
    storage: storageSpec,
    storageUri: string({ doc: 'Where the model is, e.g. oci://name:tag.' }),
  },
  { doc: 'The model, and any field of the container that serves it.' },
);
export type ModelSpec = TypeOf<typeof modelSpec>;

/** The model in the field of its server, as KServe had it before there was `model`. */
const legacyModelSpec = object(
  `${component}PredictorExtensionSpec`,
  {
    ...openContainerFields,
    name: string(),
    protocolVersion: string({ doc: 'v1 or v2 of the inference protocol.' }),
    runtimeVersion: string({ doc: 'The version of the runtime.' }),
    storage: storageSpec,
    storageUri: string({ doc: 'Where the model is, e.g. oci://name:tag.' }),
  },
  { doc: 'The model in the field of its server; `model` is the newer form.' },
);

/** Model servers that KServe has a field for; each is the format of the same name. */
const servers = {
  huggingface: legacyModelSpec,
  lightgbm: legacyModelSpec,
  onnx: legacyModelSpec,
  paddle: legacyModelSpec,
  pmml: legacyModelSpec,
  pytorch: legacyModelSpec,
  sklearn: legacyModelSpec,
  tensorflow: legacyModelSpec,
  triton: legacyModelSpec,
  xgboost: legacyModelSpec,
};
// The keys of a literal are its own.
export const serverFields = Object.keys(servers) as (keyof typeof servers)[];

export const loggerSpec = object(
  `${component}LoggerSpec`,
  {
    metadataAnnotations: list(string()),
    metadataHeaders: list(string()),
    mode: oneOf(['all', 'request', 'response']),
    url: string(),
  },
  { doc: 'Where requests and responses are logged.' },
);

export const batcherSpec = object(
  `${component}Batcher`,
  {
    maxBatchSize: integer(),
    maxLatency: integer(),
    timeout: integer(),
  },
  { doc: 'How requests are gathered into batches.' },
);

const componentExtension = {
  annotations: map(string()),
  autoScaling: any(),
  batcher: batcherSpec,
  canaryTrafficPercent: integer({ doc: 'The share of the newest revision.', min: 0, max: 100 }),
  containerConcurrency: integer(),
  deploymentStrategy: any(),
  labels: map(string()),
  logger: loggerSpec,
  maxReplicas: integer({ doc: 'The most pods.', min: 0 }),
  minReplicas: integer({ doc: 'The fewest pods.', min: 0 }),
  scaleMetric: oneOf(['cpu', 'memory', 'concurrency', 'rps']),
  scaleMetricType: string(),
  scaleTarget: integer(),
  timeout: integer(),
};

// A predictor is a pod spec in which the containers may be left out.
const { containers, ...podFields } = podSpec.fields;
/** What of a component's specification is its pods'. */
export const podFieldNames: ReadonlySet<string> = new Set(Object.keys(podFields));

export const predictorSpec = object(
  `${component}PredictorSpec`,
  {
    ...podFields,
    ...componentExtension,
    containers: keyedList(['name'], container),
    model: modelSpec,
    ...servers,
    workerSpec: any(),
  },
  { doc: 'What serves the model; any field of a pod spec may be set.' },
);
export type PredictorSpec = TypeOf<typeof predictorSpec>;

export const customComponentSpec = object(`${component}CustomComponentSpec`, {
  ...podFields,
  ...componentExtension,
  containers: keyedList(['name'], container),
});

export const inferenceServiceSpec = object(
  `${component}InferenceServiceSpec`,
  {
    explainer: customComponentSpec,
    predictor: required(predictorSpec),
    transformer: customComponentSpec,
  },
  { doc: 'What is served, and how.' },
);
export type InferenceServiceSpec = TypeOf<typeof inferenceServiceSpec>;

export const addressable = object(`${component}Addressable`, {
  CACerts: string(),
  audience: string(),
  name: string(),
  url: string({ doc: 'Where it answers.' }),
});

export const inferenceServiceCondition = object(`${component}Condition`, {
  lastTransitionTime: time({ doc: 'When its status changed last.' }),
  message: string({ doc: 'Why, for people.' }),
  reason: string({ doc: 'Why, in one word, for programs.' }),
  severity: string({ doc: 'How grave it is; absent means an error.' }),
  status: required(oneOf(['True', 'False', 'Unknown'], { doc: 'True, False or Unknown.' })),
  type: required(string({ doc: 'What the condition is about.' })),
});
export type InferenceServiceCondition = TypeOf<typeof inferenceServiceCondition>;

const trafficTarget = object(`${component}TrafficTarget`, {
  configurationName: string(),
  latestRevision: boolean(),
  percent: integer(),
  revisionName: string(),
  tag: string(),
  url: string(),
});

export const componentStatus = object(`${component}ComponentStatusSpec`, {
  address: addressable,
  grpcUrl: string(),
  latestCreatedRevision: string(),
  latestReadyRevision: string(),
  latestRolledoutRevision: string(),
  previousRolledoutRevision: string(),
  restUrl: string(),
  traffic: list(trafficTarget),
  url: string(),
});

export const modelStatus = object(`${component}ModelStatus`, {
  copies: object(`${component}ModelCopies`, { failedCopies: integer(), totalCopies: integer() }),
  lastFailureInfo: object(`${component}FailureInfo`, {
    exitCode: integer(),
    location: string(),
    message: string(),
    modelRevisionName: string(),
    reason: string(),
    time: time(),
  }),
  states: object(`${component}ModelRevisionStates`, {
    activeModelState: string(),
    targetModelState: string(),
  }),
  transitionStatus: string(),
});

export const inferenceServiceStatus = object(`${component}InferenceServiceStatus`, {
  address: addressable,
  annotations: map(string()),
  clusterServingRuntimeName: string(),
  components: map(componentStatus, { doc: 'What the parts do.' }),
  conditions: keyedList(['type'], inferenceServiceCondition, {
    doc: 'PredictorReady, IngressReady, Ready and others.',
  }),
  deploymentMode: string(),
  modelStatus,
  observedGeneration: integer({ doc: 'The generation that the controller has seen.' }),
  servingRuntimeName: string(),
  url: string({ doc: 'Where the model answers.' }),
});
export type InferenceServiceStatus = TypeOf<typeof inferenceServiceStatus>;

const schema = kindSchema(
  'io.kserve.serving.v1beta1.InferenceService',
  { apiVersion: 'serving.kserve.io/v1beta1', kind: 'InferenceService' },
  { spec: inferenceServiceSpec, status: inferenceServiceStatus },
  'InferenceService runs a trained model and gives it an address.',
);

export interface InferenceService extends ObjectOf<typeof schema> {}

export const inferenceService = defineKind<InferenceService>({
  group: 'serving.kserve.io',
  version: 'v1beta1',
  kind: 'InferenceService',
  plural: 'inferenceservices',
  shortNames: ['isvc'],
  namespaced: true,
  subresources: { status: true },
  schema,
  check({ spec }, report, root) {
    const at = root.child('spec').child('predictor');
    const { predictor } = spec ?? {};
    const { model, containers, minReplicas = 0, maxReplicas } = predictor ?? {};
    const [field, ...further] = serverFields.filter((each) => predictor?.[each]);
    const twice = model ? field : further[0];
    if (twice) report.forbidden(at.child(twice), `may not be set beside \`${model ? 'model' : field}\``);
    if (!model && !field && !containers?.length)
      report.required(at.child('model'), 'a predictor needs a model or containers');
    for (const name of ['model', field] as const) {
      const each = name && predictor?.[name];
      if (each && !each.storageUri && !each.storage && !each.image)
        report.required(at.child(name).child('storageUri'), 'e.g. oci://my-model:1.0.0');
    }
    if (maxReplicas && maxReplicas < minReplicas) {
      report.invalid(at.child('maxReplicas'), maxReplicas, 'must not be less than minReplicas');
    }
  },
  columns: [
    nameColumn,
    { name: 'URL', doc: 'Where the model answers.', value: ({ status }) => status?.url ?? '' },
    {
      name: 'Ready',
      doc: 'Whether it can answer.',
      value: (service) => conditionOf(service, 'Ready')?.status ?? '',
    },
    shareColumn('Prev', 'prev'),
    shareColumn('Latest', 'latest'),
    revisionColumn('PrevRolledoutRevision', 'prev'),
    revisionColumn('LatestReadyRevision', 'latest'),
    ageColumn,
  ],
});

function shareOf({ status }: InferenceService, which: 'prev' | 'latest') {
  const traffic = status?.components?.predictor?.traffic;
  return traffic?.find(({ tag, latestRevision }) =>
    which === 'prev' ? tag === 'prev' : latestRevision === true,
  );
}

function shareColumn(name: string, which: 'prev' | 'latest'): Column<InferenceService> {
  const doc = 'Its share of the requests, in percent.';
  return { name, type: 'integer', doc, value: (service) => shareOf(service, which)?.percent ?? null };
}

function revisionColumn(name: string, which: 'prev' | 'latest'): Column<InferenceService> {
  const doc = 'The revision with that share.';
  return { name, doc, value: (service) => shareOf(service, which)?.revisionName ?? '' };
}
