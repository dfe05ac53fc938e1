import type { LimitRange } from '../../api/kinds/limitRange.ts';
import { limitRange } from '../../api/kinds/limitRange.ts';
import {
  type MutatingWebhookConfiguration,
  mutatingWebhookConfiguration,
} from '../../api/kinds/mutatingWebhookConfiguration.ts';
import { type PriorityClass, priorityClass } from '../../api/kinds/priorityClass.ts';
import { type ResourceQuota, resourceQuota } from '../../api/kinds/resourceQuota.ts';
import {
  type ValidatingAdmissionPolicy,
  validatingAdmissionPolicy,
} from '../../api/kinds/validatingAdmissionPolicy.ts';
import {
  type ValidatingAdmissionPolicyBinding,
  validatingAdmissionPolicyBinding,
} from '../../api/kinds/validatingAdmissionPolicyBinding.ts';
import {
  type ValidatingWebhookConfiguration,
  validatingWebhookConfiguration,
} from '../../api/kinds/validatingWebhookConfiguration.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import type { Attributes, Decision } from '../authorization/authorize.ts';
import type { Resource } from '../context.ts';
import { HeldObjects } from '../held-objects.ts';
import type { ServiceDial } from '../service-dial.ts';
import { certificatePlugins } from './certificates.ts';
import type { AdmissionPlugin } from './chain.ts';
import { defaultIngressClassPlugin } from './default-ingress-class.ts';
import { defaultTolerationSeconds } from './default-tolerations.ts';
import { limitRangerPlugin } from './limit-ranger.ts';
import { modelReferencePlugin } from './model-reference.ts';
import { podSecurityPlugin } from './pod-security/plugin.ts';
import { validatingAdmissionPolicyPlugin } from './policy/plugin.ts';
import { priorityPlugin } from './priority.ts';
import { resourceQuotaPlugin } from './quota/plugin.ts';
import { runtimeClassPlugin } from './runtime-class.ts';
import { type AccountOf, serviceAccountPlugin } from './service-account.ts';
import { WebhookCaller } from './webhooks/call.ts';
import { MatchConditions, matchConditionsPlugin } from './webhooks/conditions.ts';
import { Hooks } from './webhooks/hooks.ts';
import { mutatingWebhookPlugin, validatingWebhookPlugin } from './webhooks/plugins.ts';

export interface AdmissionOptions {
  store: Store;
  clock: Clock;
  log: Log;
  /** Pods get their service account's token where it is given. */
  accountOf: AccountOf | undefined;
  /** Answers what conditions of webhooks ask of a user's rights. */
  authorize(attributes: Attributes): Decision;
  /** Everything that is served, by `group/version/plural`: parameters of policies may be of any kind. */
  resources(): ReadonlyMap<string, Resource>;
  /** How webhooks behind Services are reached where their endpoints are pods. */
  dialService: ServiceDial;
  /** How long pods that do not say stay on a node that is lost. */
  evictAfterSeconds: number;
}

/**
 * The plugins that Kubernetes 1.32 switches on by default, in kube-apiserver's order. What it does by admission and
 * is not here is a strategy of its kind: NodeRestriction, RBAC's escalation checks, storage classes and protection. One
 * is this project's own, `ModelReference`.
 */
export function createAdmissionPlugins({
  accountOf,
  dialService,
  evictAfterSeconds,
  authorize,
  resources,
  ...held
}: AdmissionOptions): AdmissionPlugin[] {
  const caller = new WebhookCaller(dialService);
  const conditions = new MatchConditions(authorize);
  const webhooks = { store: held.store, log: held.log, caller, conditions, resources };
  const mutating = new Hooks(
    new HeldObjects<MutatingWebhookConfiguration>(held, mutatingWebhookConfiguration),
  );
  const validating = new Hooks(
    new HeldObjects<ValidatingWebhookConfiguration>(held, validatingWebhookConfiguration),
  );
  return [
    limitRangerPlugin(new HeldObjects<LimitRange>(held, limitRange)),
    ...(accountOf ? [serviceAccountPlugin(accountOf)] : []),
    podSecurityPlugin(held.store),
    priorityPlugin(new HeldObjects<PriorityClass>(held, priorityClass)),
    defaultTolerationSeconds(evictAfterSeconds),
    runtimeClassPlugin(held.store),
    modelReferencePlugin(held.store),
    ...certificatePlugins(authorize),
    defaultIngressClassPlugin(held.store),
    mutatingWebhookPlugin(webhooks, mutating),
    validatingAdmissionPolicyPlugin({
      store: held.store,
      resources,
      authorize,
      policies: new HeldObjects<ValidatingAdmissionPolicy>(held, validatingAdmissionPolicy),
      bindings: new HeldObjects<ValidatingAdmissionPolicyBinding>(held, validatingAdmissionPolicyBinding),
    }),
    matchConditionsPlugin,
    validatingWebhookPlugin(webhooks, validating),
    resourceQuotaPlugin(held, new HeldObjects<ResourceQuota>(held, resourceQuota)),
  ];
}
