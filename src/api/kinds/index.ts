import type { KindDefinition } from '../kind.ts';
import { apiService } from './apiService.ts';
import { binding } from './binding.ts';
import { certificateSigningRequest } from './certificateSigningRequest.ts';
import { clusterRole } from './clusterRole.ts';
import { clusterRoleBinding } from './clusterRoleBinding.ts';
import { clusterServingRuntime } from './clusterServingRuntime.ts';
import { componentStatus } from './componentStatus.ts';
import { configMap } from './configMap.ts';
import { controllerRevision } from './controllerRevision.ts';
import { cronJob } from './cronJob.ts';
import { csiDriver } from './csiDriver.ts';
import { csiNode } from './csiNode.ts';
import { csiStorageCapacity } from './csiStorageCapacity.ts';
import { customResourceDefinition } from './customResourceDefinition.ts';
import { daemonSet } from './daemonSet.ts';
import { deployment } from './deployment.ts';
import { endpointSlice } from './endpointSlice.ts';
import { endpoints } from './endpoints.ts';
import { event } from './event.ts';
import { eventsV1Event } from './eventsV1Event.ts';
import { flowSchema } from './flowSchema.ts';
import { horizontalPodAutoscaler } from './horizontalPodAutoscaler.ts';
import { horizontalPodAutoscalerV1 } from './horizontalPodAutoscalerV1.ts';
import { inferenceService } from './inferenceService.ts';
import { ingress } from './ingress.ts';
import { ingressClass } from './ingressClass.ts';
import { job } from './job.ts';
import { lease } from './lease.ts';
import { limitRange } from './limitRange.ts';
import { mutatingWebhookConfiguration } from './mutatingWebhookConfiguration.ts';
import { namespace } from './namespace.ts';
import { networkPolicy } from './networkPolicy.ts';
import { node } from './node.ts';
import { persistentVolume } from './persistentVolume.ts';
import { persistentVolumeClaim } from './persistentVolumeClaim.ts';
import { pod } from './pod.ts';
import { podDisruptionBudget } from './podDisruptionBudget.ts';
import { podTemplate } from './podTemplate.ts';
import { priorityClass } from './priorityClass.ts';
import { priorityLevelConfiguration } from './priorityLevelConfiguration.ts';
import { replicaSet } from './replicaSet.ts';
import { replicationController } from './replicationController.ts';
import { resourceQuota } from './resourceQuota.ts';
import { role } from './role.ts';
import { roleBinding } from './roleBinding.ts';
import { runtimeClass } from './runtimeClass.ts';
import { secret } from './secret.ts';
import { service } from './service.ts';
import { serviceAccount } from './serviceAccount.ts';
import { servingRuntime } from './servingRuntime.ts';
import { statefulSet } from './statefulSet.ts';
import { storageClass } from './storageClass.ts';
import { trainingJob } from './trainingJob.ts';
import { validatingAdmissionPolicy } from './validatingAdmissionPolicy.ts';
import { validatingAdmissionPolicyBinding } from './validatingAdmissionPolicyBinding.ts';
import { validatingWebhookConfiguration } from './validatingWebhookConfiguration.ts';
import { volumeAttachment } from './volumeAttachment.ts';

/** Every kind that the API serves. A new one is a file beside this one, and its line here. */
export const kinds: KindDefinition[] = [
  binding,
  componentStatus,
  configMap,
  endpoints,
  endpointSlice,
  event,
  eventsV1Event,
  namespace,
  node,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  podTemplate,
  replicationController,
  limitRange,
  resourceQuota,
  secret,
  service,
  serviceAccount,
  controllerRevision,
  daemonSet,
  deployment,
  replicaSet,
  statefulSet,
  horizontalPodAutoscaler,
  horizontalPodAutoscalerV1,
  job,
  cronJob,
  podDisruptionBudget,
  certificateSigningRequest,
  customResourceDefinition,
  lease,
  clusterRole,
  clusterRoleBinding,
  role,
  roleBinding,
  ingress,
  ingressClass,
  networkPolicy,
  runtimeClass,
  csiDriver,
  csiNode,
  csiStorageCapacity,
  storageClass,
  volumeAttachment,
  apiService,
  inferenceService,
  clusterServingRuntime,
  servingRuntime,
  trainingJob,
  priorityClass,
  flowSchema,
  priorityLevelConfiguration,
  mutatingWebhookConfiguration,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
  validatingWebhookConfiguration,
];
