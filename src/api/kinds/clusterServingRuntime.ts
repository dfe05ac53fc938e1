import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { servingRuntimeSpec } from '../parts/servingRuntime.ts';
import { object } from '../schema.ts';
import { runtimeColumns } from './servingRuntime.ts';

/** The model server that is built in; no image is pulled for it. */
export const modelServerImage = 'selvage.dev/builtin/model-server';

/** What every cluster has. Like any other it can be changed, disabled or deleted; a start makes it again where it is not there. */
export const builtInRuntime = {
  metadata: { name: 'selvage-onnx' },
  spec: {
    supportedModelFormats: [{ name: 'onnx', version: '1', autoSelect: true, priority: 1 }],
    protocolVersions: ['v1', 'v2', 'grpc-v2'],
    containers: [{ name: 'kserve-container', image: modelServerImage }],
  },
};

const schema = kindSchema(
  'io.kserve.serving.v1alpha1.ClusterServingRuntime',
  { apiVersion: 'serving.kserve.io/v1alpha1', kind: 'ClusterServingRuntime' },
  { spec: servingRuntimeSpec, status: object('io.kserve.serving.v1alpha1.ServingRuntimeStatus', {}) },
  'ClusterServingRuntime says how models of some formats are served in all namespaces.',
);

export interface ClusterServingRuntime extends ObjectOf<typeof schema> {}

export const clusterServingRuntime = defineKind<ClusterServingRuntime>({
  group: 'serving.kserve.io',
  version: 'v1alpha1',
  kind: 'ClusterServingRuntime',
  plural: 'clusterservingruntimes',
  namespaced: false,
  countsGenerations: true,
  schema,
  columns: runtimeColumns,
});
