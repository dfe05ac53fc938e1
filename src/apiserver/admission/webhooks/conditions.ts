import type { CelProgram } from '../../../api/cel/index.ts';
import { invalid } from '../../../api/invalid.ts';
import type { MatchCondition, ValidatingWebhook } from '../../../api/parts/webhook.ts';
import { messageOf, type StatusCause } from '../../../base/errors.ts';
import type { Attributes, Decision } from '../../authorization/authorize.ts';
import type { User } from '../../user.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../chain.ts';
import { aggregated, refused } from '../refusal.ts';
import type { Hook } from './hooks.ts';
import { reviewOf } from './review.ts';

type Authorize = (attributes: Attributes) => Decision;

/** Whether a request meets a webhook's conditions. Throws Forbidden where they fail, and failing may not be passed over. */
export class MatchConditions {
  readonly #authorize: Authorize;
  readonly #programs = new WeakMap<MatchCondition, CelProgram>();

  constructor(authorize: Authorize) {
    this.#authorize = authorize;
  }

  async hold({ webhook }: Hook, request: AdmissionRequest): Promise<boolean> {
    const conditions = webhook.matchConditions ?? [];
    if (conditions.length === 0) return true;
    const { requestCostMax } = await loadCel();
    const bindings = await requestBindings(request, this.#authorize);
    const budget = { remaining: requestCostMax / 4 };
    const errors: string[] = [];
    for (const condition of conditions) {
      try {
        if ((await this.#program(condition)).evaluate(bindings, budget) !== true) return false;
      } catch (error) {
        errors.push(`expression '${condition.expression}' resulted in error: ${messageOf(error)}`);
      }
    }
    if (errors.length === 0) return true;
    if (webhook.failurePolicy === 'Ignore') return false;
    throw refused(request, aggregated(errors));
  }

  async #program(condition: MatchCondition): Promise<CelProgram> {
    const known = this.#programs.get(condition) ?? (await compileCondition(condition.expression));
    this.#programs.set(condition, known);
    return known;
  }
}

/** What expressions of admission know of a request, but for parameters and variables. */
export async function requestBindings(
  request: AdmissionRequest,
  authorize: Authorize,
): Promise<Record<string, unknown>> {
  const { AuthorizerValue, CheckValue } = await loadCel();
  const { body } = reviewOf(request);
  const { object, oldObject, ...asked } = (body as { request: Record<string, unknown> }).request;
  const answer = asUser(request.user, authorize);
  const { group, resource } = request.info;
  const { namespace, name, subresource } = request;
  const about = { group, resource, ...(namespace && { namespace }), ...(name && { name }) };
  return {
    object,
    oldObject,
    request: asked,
    authorizer: new AuthorizerValue(answer),
    'authorizer.requestResource': new CheckValue('ResourceCheck', answer, {
      ...about,
      ...(subresource !== undefined && { subresource }),
    }),
  };
}

function asUser(asking: User, authorize: Authorize): ConstructorParameters<CelModule['AuthorizerValue']>[0] {
  return ({ serviceAccount, verb, path, group = '', resource = '', subresource, namespace, name }) => {
    const user = serviceAccount ? accountUser(serviceAccount) : asking;
    const about =
      path !== undefined
        ? { path, verb }
        : {
            resource: {
              // Roles name no versions.
              version: '*',
              verb: verb as 'get',
              group,
              resource,
              subresource: subresource || undefined,
              namespace: namespace || undefined,
              name: name || undefined,
            },
          };
    const { allowed, reason = '' } = authorize({ user, fieldSelector: '', ...about });
    return { allowed, reason };
  };
}

type CelModule = typeof import('../../../api/cel/index.ts');
/** Few clusters have conditions, and those that have none need no CEL in memory. */
const loadCel = (): Promise<CelModule> => import('../../../api/cel/index.ts');

async function compileCondition(expression: string): Promise<CelProgram> {
  const { boolType, compileForAdmission, dynType } = await loadCel();
  const program = compileForAdmission(expression, { hasParams: false, hasAuthorizer: true });
  if (program.type !== boolType && program.type !== dynType) throw new Error('must evaluate to bool');
  return program;
}

function accountUser({ namespace, name }: { namespace: string; name: string }): User {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
  return { name: `system:serviceaccount:${namespace}:${name}`, groups };
}

/** Refuses webhook configurations with a condition that does not compile. */
export const matchConditionsPlugin: AdmissionPlugin = {
  name: 'MatchConditions',
  handles: (operation, { group, plural }, subresource) =>
    group === 'admissionregistration.k8s.io' &&
    plural.endsWith('webhookconfigurations') &&
    subresource === undefined &&
    (operation === 'CREATE' || operation === 'UPDATE'),
  validate(request) {
    const { webhooks = [] } = request.object as { webhooks?: ValidatingWebhook[] };
    return webhooks.some(({ matchConditions }) => matchConditions?.length)
      ? checkAll(request, webhooks)
      : undefined;
  },
};

async function checkAll(request: AdmissionRequest, webhooks: readonly ValidatingWebhook[]): Promise<void> {
  const causes: StatusCause[] = [];
  for (const [index, { matchConditions = [] }] of webhooks.entries()) {
    for (const [at, { expression }] of matchConditions.entries()) {
      try {
        await compileCondition(expression);
      } catch (error) {
        const message = `Invalid value: ${JSON.stringify(expression)}: compilation failed: ${messageOf(error)}`;
        const field = `webhooks[${index}].matchConditions[${at}].expression`;
        causes.push({ reason: 'FieldValueInvalid', message, field });
      }
    }
  }
  if (causes.length > 0) throw invalid(request.resource.kind, request.name, causes);
}
