import type { KindDefinition } from '../kind.ts';
import { certificateSigningRequest } from './certificateSigningRequest.ts';
import { clusterRole } from './clusterRole.ts';
import { clusterRoleBinding } from './clusterRoleBinding.ts';
import { configMap } from './configMap.ts';
import { controllerRevision } from './controllerRevision.ts';
import { cronJob } from './cronJob.ts';
import { customResourceDefinition } from './customResourceDefinition.ts';
import { daemonSet } from './daemonSet.ts';
import { deployment } from './deployment.ts';
import { endpointSlice } from './endpointSlice.ts';
import { event } from './event.ts';
import { eventsV1Event } from './eventsV1Event.ts';
import { horizontalPodAutoscaler } from './horizontalPodAutoscaler.ts';
import { inferenceService } from './inferenceService.ts';
import { job } from './job.ts';
import { lease } from './lease.ts';
import { limitRange } from './limitRange.ts';
import { mutatingWebhookConfiguration } from './mutatingWebhookConfiguration.ts';
import { namespace } from './namespace.ts';
import { node } from './node.ts';
import { persistentVolume } from './persistentVolume.ts';
import { persistentVolumeClaim } from './persistentVolumeClaim.ts';
import { pod } from './pod.ts';
import { podDisruptionBudget } from './podDisruptionBudget.ts';
import { priorityClass } from './priorityClass.ts';
import { replicaSet } from './replicaSet.ts';
import { replicationController } from './replicationController.ts';
import { resourceQuota } from './resourceQuota.ts';
import { role } from './role.ts';
import { roleBinding } from './roleBinding.ts';
import { secret } from './secret.ts';
import { service } from './service.ts';
import { serviceAccount } from './serviceAccount.ts';
import { statefulSet } from './statefulSet.ts';
import { storageClass } from './storageClass.ts';
import { validatingWebhookConfiguration } from './validatingWebhookConfiguration.ts';

/** Every kind that the API serves. A new one is a file beside this one, and its line here. */
export const kinds: KindDefinition[] = [
  configMap,
  endpointSlice,
  event,
  eventsV1Event,
  namespace,
  node,
  persistentVolume,
  persistentVolumeClaim,
  pod,
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
  storageClass,
  inferenceService,
  priorityClass,
  mutatingWebhookConfiguration,
  validatingWebhookConfiguration,
];
