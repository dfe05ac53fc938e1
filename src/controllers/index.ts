import type { KindDefinition } from '../api/kind.ts';
import { kinds as allKinds } from '../api/kinds/index.ts';
import { reviewDefinitions } from '../api/kinds/reviews.ts';
import { metricsKinds } from '../apiserver/metrics-api/metrics-api.ts';
import type { Clock } from '../base/clock.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Client } from '../client/client.ts';
import { createEventRecorder, type EventRecorder } from '../client/events.ts';
import type { ContentStore } from '../oci/content-store.ts';
import * as apiService from './api-service.ts';
import * as certificateSigning from './certificate-signing.ts';
import * as clusterRoleAggregation from './cluster-role-aggregation.ts';
import type { Context } from './controller.ts';
import * as cronJob from './cronjob.ts';
import * as daemonSet from './daemonset.ts';
import * as deployment from './deployment.ts';
import * as disruption from './disruption.ts';
import * as endpoints from './endpoints.ts';
import * as endpointSlice from './endpointslice.ts';
import * as endpointSliceMirroring from './endpointslice-mirroring.ts';
import * as ephemeralVolume from './ephemeral-volume.ts';
import * as eventExpiry from './event-expiry.ts';
import * as flowControl from './flow-control.ts';
import * as garbageCollector from './garbage-collector.ts';
import * as horizontalPodAutoscaler from './horizontal-pod-autoscaler.ts';
import * as inferenceService from './inference-service.ts';
import { createInformers, type Informers } from './informers.ts';
import * as job from './job.ts';
import * as jobTtl from './job-ttl.ts';
import * as namespace from './namespace.ts';
import type { PodNetwork } from './node-cidr/subnets.ts';
import * as nodeCidr from './node-cidr.ts';
import * as nodeLifecycle from './node-lifecycle.ts';
import * as nodeTtl from './node-ttl.ts';
import * as persistentVolumeBinder from './persistent-volume-binder.ts';
import * as persistentVolumeProtection from './persistent-volume-protection.ts';
import * as podGarbage from './pod-garbage.ts';
import * as replicaSet from './replicaset.ts';
import * as replicationController from './replication-controller.ts';
import * as resourceQuota from './resource-quota.ts';
import * as serviceAccount from './service-account.ts';
import * as serviceAccountToken from './service-account-token.ts';
import * as serviceAddress from './service-address.ts';
import * as statefulSet from './statefulset.ts';
import * as storageExpansion from './storage-expansion.ts';
import * as storageLocalPath from './storage-local-path.ts';
import * as taintEviction from './taint-eviction.ts';
import * as trainingJob from './training-job.ts';

export interface ControllersOptions
  extends nodeLifecycle.NodeLifecycleOptions,
    taintEviction.TaintEvictionOptions,
    horizontalPodAutoscaler.PodAutoscalingOptions {
  /** Must be allowed everything. */
  client: Client;
  clock: Clock;
  log: Log;
  /** The cluster's authority: signs certificate requests, and its certificate is given to every namespace. */
  authority: certificateSigning.CertificateSigner & { readonly caPem: string };
  /** Where controllers count what they do. */
  metrics?: Metrics | undefined;
  /** How the pods' addresses are shared out among the nodes. */
  podNetwork?: PodNetwork;
  /** The cluster's own registry: models that are named by a tag are looked up in it. */
  registry?: ContentStore;
  /** All kinds that the server serves; those of src/api/kinds by default. */
  kinds?: readonly KindDefinition[];
}

/** What runs, and the caches that it keeps, for the scheduler to share. */
export interface Controllers extends Running {
  readonly informers: Informers;
}

/** Starts all controllers over one set of informers. */
export function startControllers(options: ControllersOptions): Controllers {
  const { client, clock, log, authority, metrics, kinds = allKinds } = options;
  const stopping = new AbortController();
  const informers = createInformers({ client, clock, log, signal: stopping.signal });
  const recorders: EventRecorder[] = [];
  const recorder = (component: string) => {
    const made = createEventRecorder({ client, clock, log, component });
    recorders.push(made);
    return made;
  };
  const { registry } = options;
  const context: Context = { client, clock, log, informers, metrics, registry, recorder };
  const running: Running[] = [
    nodeCidr.run(context, options.podNetwork),
    clusterRoleAggregation.run(context),
    serviceAccount.run(context, { caPem: authority.caPem }),
    serviceAccountToken.run(context, { caPem: authority.caPem }),
    certificateSigning.run(context, { authority }),
    deployment.run(context),
    replicaSet.run(context),
    replicationController.run(context),
    statefulSet.run(context),
    daemonSet.run(context),
    job.run(context),
    jobTtl.run(context),
    cronJob.run(context),
    disruption.run(context),
    persistentVolumeBinder.run(context),
    persistentVolumeProtection.run(context),
    ephemeralVolume.run(context),
    storageLocalPath.run(context),
    storageExpansion.run(context),
    horizontalPodAutoscaler.run(context, kinds, {
      podAutoscalingSeconds: options.podAutoscalingSeconds,
    }),
    endpoints.run(context),
    endpointSlice.run(context),
    endpointSliceMirroring.run(context),
    serviceAddress.run(context),
    nodeLifecycle.run(context, options),
    nodeTtl.run(context),
    taintEviction.run(context, options),
    podGarbage.run(context),
    inferenceService.run(context),
    trainingJob.run(context),
    garbageCollector.run(context, kinds),
    namespace.run(context, kinds),
    resourceQuota.run(context, kinds),
    eventExpiry.run(context),
    flowControl.run(context),
    apiService.run(context, [...kinds, ...reviewDefinitions, ...metricsKinds]),
  ];
  return {
    informers,
    async stop() {
      await Promise.all(running.map((each) => each.stop()));
      for (const each of recorders) each.stop();
      stopping.abort();
    },
  };
}
