import { decode } from '../../../api/decode.ts';
import { defaults } from '../../../api/defaults.ts';
import { isEqualJson } from '../../../api/equal.ts';
import type { KubeObject } from '../../../api/object.ts';
import { jsonPatch } from '../../../api/patch/json-patch.ts';
import { messageOf } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import type { Store } from '../../../store/store.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../chain.ts';
import { inVersionOf, type ServedResources, seenAs } from '../equivalent.ts';
import type { WebhookCaller } from './call.ts';
import type { MatchConditions } from './conditions.ts';
import type { Hook, Hooks } from './hooks.ts';
import { matched } from './match.ts';
import { failedCall, WebhookRefusal } from './refusal.ts';
import { type AdmissionResponse, responseOf, reviewOf } from './review.ts';

export interface WebhookContext {
  store: Store;
  log: Log;
  caller: WebhookCaller;
  conditions: MatchConditions;
  resources: ServedResources;
}

/** Warnings of one answer that are passed on. */
const warningsMax = 100;

/** Nobody can lock the cluster's administrators out of the configuration of webhooks and policies. */
const handles: NonNullable<AdmissionPlugin['handles']> = (_operation, { group }) =>
  group !== 'admissionregistration.k8s.io';

/**
 * Webhooks that may change objects: asked one after the other, and those that wish so once more when others changed
 * the object after them. Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
 */
export function mutatingWebhookPlugin(context: WebhookContext, hooks: Hooks): AdmissionPlugin {
  return {
    name: 'MutatingAdmissionWebhook',
    handles,
    isIdle: () => hooks.isEmpty,
    mutate(request) {
      const isAsked = hooks.all().some((hook) => matched(context, hook, request));
      return isAsked ? mutateInTurn(request) : undefined;
    },
  };

  async function mutateInTurn(request: AdmissionRequest): Promise<void> {
    const due = new Set<Hook>();
    const asked: Hook[] = [];
    const ask = async (hook: Hook, view: AdmissionRequest, round: number, index: number) => {
      const isChanged = await mutateBy(context, hook, view, request);
      const mutation = { configuration: hook.configuration, webhook: hook.webhook.name, mutated: isChanged };
      request.annotateAudit(
        `mutation.webhook.admission.k8s.io/round_${round}_index_${index}`,
        JSON.stringify(mutation),
      );
      due.delete(hook);
      if (!isChanged) return;
      for (const other of asked) {
        if (other !== hook && other.webhook.reinvocationPolicy === 'IfNeeded') due.add(other);
      }
    };
    // An earlier webhook may bring an object into a later one's selection.
    for (const [index, hook] of hooks.all().entries()) {
      const view = await meant(context, hook, request);
      if (!view) continue;
      await ask(hook, view, 0, index);
      asked.push(hook);
    }
    for (const [index, hook] of asked.entries()) {
      const view = due.has(hook) ? await meant(context, hook, request) : undefined;
      if (view) await ask(hook, view, 1, index);
    }
  }
}

/** Webhooks that may refuse: all are asked at once, and the first refusal in their order counts. */
export function validatingWebhookPlugin(context: WebhookContext, hooks: Hooks): AdmissionPlugin {
  return {
    name: 'ValidatingAdmissionWebhook',
    handles,
    isIdle: () => hooks.isEmpty,
    validate(request) {
      const asked = hooks.all().filter((hook) => matched(context, hook, request));
      return asked.length > 0 ? validateBy(context, asked, request) : undefined;
    },
  };
}

async function validateBy(
  context: WebhookContext,
  asked: readonly Hook[],
  request: AdmissionRequest,
): Promise<void> {
  const outcomes = await Promise.allSettled(
    asked.map(async (hook) => {
      const view = await meant(context, hook, request);
      if (view) await ask(context, hook, view, false);
    }),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** The request in the version that a webhook asks for; undefined where it is not meant. Rejects where that can't be had. */
async function meant(
  context: WebhookContext,
  hook: Hook,
  request: AdmissionRequest,
): Promise<AdmissionRequest | undefined> {
  const resource = matched(context, hook, request);
  if (!resource) return undefined;
  const view = await seenAs(request, resource);
  return (await context.conditions.hold(hook, view)) ? view : undefined;
}

/** Whether it changed the object, which it saw as `view` has it. */
async function mutateBy(
  context: WebhookContext,
  hook: Hook,
  view: AdmissionRequest,
  request: AdmissionRequest,
): Promise<boolean> {
  const response = await ask(context, hook, view, true);
  if (!response?.patch || !view.object || !request.object) return false;
  const before = request.object;
  try {
    const patch: unknown = JSON.parse(Buffer.from(response.patch, 'base64').toString());
    const patched = jsonPatch(view.object, patch);
    request.object = completed(request, await inVersionOf(request.resource, view.resource, patched));
  } catch (error) {
    if (hook.webhook.failurePolicy === 'Ignore') return tellIgnored(context, hook, error);
    throw failedCall(hook.webhook.name, error);
  }
  return !isEqualJson(before, request.object);
}

/** A patched object is read like one that a client sent; what a subresource takes has no schema here. */
function completed({ resource: { kind } }: AdmissionRequest, patched: KubeObject): KubeObject {
  if (patched.kind !== kind.kind) return patched;
  return defaults(kind, decode(kind, patched, { fieldValidation: 'Ignore' }).object);
}

/** The webhook's answer; undefined where it failed and need not be heard. */
async function ask(
  context: WebhookContext,
  hook: Hook,
  request: AdmissionRequest,
  mutates: boolean,
): Promise<AdmissionResponse | undefined> {
  const { name, failurePolicy } = hook.webhook;
  const { uid, body } = reviewOf(request);
  let response: AdmissionResponse;
  try {
    const answer = await context.caller.ask(hook, body);
    try {
      response = responseOf(answer, uid, mutates);
    } catch (error) {
      throw new Error(`received invalid webhook response: ${messageOf(error)}`, { cause: error });
    }
  } catch (error) {
    if (failurePolicy !== 'Ignore') throw failedCall(name, error);
    tellIgnored(context, hook, error);
    return undefined;
  }
  for (const [key, value] of Object.entries(response.auditAnnotations ?? {})) {
    request.annotateAudit(`${name}/${key}`, String(value));
  }
  for (const warning of (response.warnings ?? []).slice(0, warningsMax)) request.warn(String(warning));
  if (!response.allowed) throw new WebhookRefusal(name, response.status);
  return response;
}

function tellIgnored({ log }: WebhookContext, { webhook }: Hook, error: unknown): false {
  log.warn('a webhook failed and was passed over', { webhook: webhook.name, error: messageOf(error) });
  return false;
}
