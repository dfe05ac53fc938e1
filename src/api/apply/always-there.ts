import type { SchemaNode } from '../schema.ts';

/**
 * Whether Kubernetes' own type has the field in every object, be it empty: a struct that is no pointer, or a list that
 * is written as `null`. Nobody makes such a field, so nobody owns it apart from what is in it. Custom resources have no
 * types: in them every field is somebody's.
 */
export function isAlwaysThere({ name = '' }: SchemaNode, field: string, schema: SchemaNode): boolean {
  if (!name.startsWith('io.k8s.')) return false;
  if (field === 'metadata' || field === 'spec' || field === 'status' || schema.required) return true;
  return optionalStructs[field]?.includes(name.slice(name.lastIndexOf('.') + 1)) ?? false;
}

/** Fields with `default: {}` in Kubernetes' OpenAPI v3 that need not be given, and the types that have them. */
const optionalStructs: Readonly<Record<string, readonly string[]>> = {
  acceptedNames: ['CustomResourceDefinitionStatus'],
  conditions: ['Endpoint'],
  daemonEndpoints: ['NodeStatus'],
  deprecatedSource: ['Event'],
  kubeletEndpoint: ['NodeDaemonEndpoints'],
  lastState: ['ContainerStatus'],
  limitResponse: ['LimitedPriorityLevelConfiguration'],
  loadBalancer: ['IngressStatus', 'ServiceStatus'],
  nodeInfo: ['NodeStatus'],
  port: ['IngressServiceBackend'],
  regarding: ['Event'],
  resources: ['Container', 'EphemeralContainer', 'PersistentVolumeClaimSpec'],
  source: ['Event'],
  state: ['ContainerStatus'],
  strategy: ['DeploymentSpec'],
  template: ['PodTemplate', 'ReplicaSetSpec'],
  updateStrategy: ['DaemonSetSpec', 'StatefulSetSpec'],
};
