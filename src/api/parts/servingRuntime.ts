import {
  any,
  boolean,
  integer,
  keyedList,
  list,
  map,
  object,
  required,
  type Schema,
  string,
  type TypeOf,
} from '../schema.ts';
import { container } from './container.ts';
import { podSpec } from './podSpec.ts';

const group = 'io.kserve.serving.v1alpha1.';

const { imagePullPolicy, resources, terminationMessagePath, terminationMessagePolicy } = container.fields;

/**
 * A container's fields as KServe's definitions have them: nothing is filled in, so that what a model leaves out is left to
 * its runtime. The Deployment's own template has the defaults.
 */
export const openContainerFields = {
  ...container.fields,
  imagePullPolicy: open(imagePullPolicy),
  resources: open(resources),
  terminationMessagePath: open(terminationMessagePath),
  terminationMessagePolicy: open(terminationMessagePolicy),
};

function open<T, R extends boolean>({ default: _default, ...schema }: Schema<T, R>): Schema<T, R> {
  return schema;
}

export const runtimeContainer = object(`${group}Container`, openContainerFields, {
  doc: 'A program that serves models; `{{.Name}}` and other metadata of the InferenceService may stand in its texts.',
});
export type RuntimeContainer = TypeOf<typeof runtimeContainer>;

export const supportedModelFormat = object(`${group}SupportedModelFormat`, {
  name: required(string({ doc: 'E.g. onnx.' })),
  version: string({ doc: 'Of the format: major, major.minor or major.minor.patch.' }),
  autoSelect: boolean({ doc: 'Whether models of this format that name no runtime may get this one.' }),
  priority: integer({ doc: 'Of several that may, the highest is taken.', min: 1 }),
});
export type SupportedModelFormat = TypeOf<typeof supportedModelFormat>;

const { nodeSelector, affinity, tolerations, volumes, imagePullSecrets, hostIPC } = podSpec.fields;

/** What ServingRuntimes and ClusterServingRuntimes have alike. Source: kserve/kserve, `servingruntime_types.go`. */
export const servingRuntimeSpec = object(
  `${group}ServingRuntimeSpec`,
  {
    affinity,
    annotations: map(string(), { doc: 'Of its pods.' }),
    builtInAdapter: any({ doc: "ModelMesh's." }),
    containers: required(
      keyedList(['name'], runtimeContainer, {
        doc: 'kserve-container serves the model; others run beside it.',
      }),
    ),
    disabled: boolean({ doc: 'Whether it is given to no model.' }),
    grpcDataEndpoint: string({ doc: "ModelMesh's." }),
    grpcEndpoint: string({ doc: "ModelMesh's." }),
    hostIPC,
    httpDataEndpoint: string({ doc: "ModelMesh's." }),
    imagePullSecrets,
    labels: map(string(), { doc: 'Of its pods.' }),
    multiModel: boolean({
      doc: 'Whether its pods serve many models, as with ModelMesh; such are given to none.',
    }),
    nodeSelector,
    protocolVersions: list(string(), { doc: 'v1, v2, grpc-v1, grpc-v2; none means all.' }),
    replicas: integer({ doc: "ModelMesh's.", min: 0 }),
    storageHelper: any({ doc: "ModelMesh's." }),
    supportedModelFormats: list(supportedModelFormat, { doc: 'What it can serve.' }),
    tolerations,
    volumes,
    workerSpec: any({ doc: 'Of models that need several nodes; such runtimes are given to none.' }),
  },
  { doc: 'How models of some formats are served.' },
);
export type ServingRuntimeSpec = TypeOf<typeof servingRuntimeSpec>;
