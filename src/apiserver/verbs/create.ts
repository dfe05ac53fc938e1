import { randomUUID } from 'node:crypto';
import { trackUpdate } from '../../api/apply/track-update.ts';
import { defaults } from '../../api/defaults.ts';
import { invalid } from '../../api/invalid.ts';
import type { KubeObject } from '../../api/object.ts';
import { prepareForCreate } from '../../api/prepare.ts';
import { validate, validateCreate } from '../../api/validate.ts';
import { toTime } from '../../base/clock.ts';
import { isStatus, StatusError } from '../../base/errors.ts';
import type { Call, Context } from '../context.ts';
import { readObject } from '../decode.ts';
import { alreadyExists, badRequest, groupResource } from '../failures.ts';
import { checkFieldManager, isMadeUntracked, writerOf } from '../field-manager.ts';
import { readWriteOptions } from '../options.ts';
import { keyOf, objectOf, storedValueOf } from '../stored.ts';
import { checkNamespace, inClientsWords } from './write-checks.ts';

/** How often a generated name that is taken is drawn anew. */
const generateTriesMax = 8;

/** Makes an object from the request's body. */
export async function create(context: Context, call: Call): Promise<KubeObject> {
  const options = readWriteOptions(call.request);
  checkFieldManager(call);
  const object = readObject(call, call.request.body, options.fieldValidation);
  return createObject(context, call, object, options.dryRun);
}

/** Makes `object`, which it owns. `managedFields` are those of an apply; otherwise its maker owns its fields. */
export async function createObject(
  context: Context,
  call: Call,
  object: KubeObject,
  dryRun: boolean,
  managedFields?: unknown[],
): Promise<KubeObject> {
  const { kind, strategy } = call.resource;
  object.metadata = { ...object.metadata };
  takeNamespace(call, object.metadata);
  if (object.metadata.resourceVersion) {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  for (const field of settledByServer) delete object.metadata[field];
  checkNamespace(context, call.resource, object);
  const admission = context.admission.begin(call, {
    operation: 'CREATE',
    name: object.metadata.name ?? '',
    object,
    dryRun,
  });
  // What admission and the server itself fill in is nobody's, so who owns what is settled before.
  let owned = managedFields;
  if (admission?.mutates) {
    admission.object = asSent(call, object);
    owned ??= ownedByMaker(context, call, admission.object) ?? [];
    await admission.mutate();
    object = admission.object;
  } else if (isFilledIn(strategy)) {
    owned ??= isMadeUntracked(call) ? [] : (ownedByMaker(context, call, asSent(call, object)) ?? []);
  }
  const metadata = { ...object.metadata };
  object.metadata = metadata;
  const { generateName } = metadata;
  const isGenerated = !metadata.name && !!generateName;
  if (isGenerated) metadata.name = generatedName(generateName!);
  if (!metadata.name) {
    throw invalid(kind, '', [
      {
        reason: 'FieldValueRequired',
        message: 'Required value: name or generateName is required',
        field: 'metadata.name',
      },
    ]);
  }
  metadata.uid = randomUUID();
  metadata.creationTimestamp = toTime(context.clock.nowMs());
  const prepared = prepareForCreate(kind, object);
  strategy.prepareCreate?.(prepared, call.user);
  // Client libraries in languages with types expect a status to be there, even if it says nothing yet.
  if (kind.subresources.status && !kind.custom) (prepared as { status?: object }).status ??= {};
  const complete = defaults(kind, prepared) as KubeObject & { status?: object };
  strategy.admit?.(complete, undefined, call.user);
  const causes = [...validate(kind, complete), ...validateCreate(kind, complete)];
  if (causes.length > 0) throw invalid(kind, metadata.name, causes);
  if (admission) {
    [admission.object, admission.name] = [complete, metadata.name];
    await admission.validate();
  }
  owned ??= ownedByMaker(context, call, complete);
  if (owned?.length) complete.metadata = { ...complete.metadata, managedFields: owned };
  try {
    const stored = await store(context, call, complete, {
      dryRun,
      triesMax: isGenerated ? generateTriesMax : 1,
    });
    admission?.settle(!dryRun);
    return stored;
  } catch (error) {
    admission?.settle(false);
    throw error;
  }
}

/** Whether the server writes into new objects of the kind what their maker does not say. */
function isFilledIn({ prepareCreate, admit, allocate }: Call['resource']['strategy']): boolean {
  return prepareCreate !== undefined || admit !== undefined || allocate !== undefined;
}

/** What its maker is taken to have said: with defaults, and without what the server adds. */
function asSent({ resource: { kind, strategy } }: Call, object: KubeObject): KubeObject {
  const sent = defaults(kind, object);
  strategy.presume?.(sent);
  return sent;
}

/** The managedFields of a new object. Its first status is the server's. */
function ownedByMaker(
  context: Context,
  call: Call,
  object: KubeObject & { status?: object },
): unknown[] | undefined {
  if (isMadeUntracked(call)) return undefined;
  const { kind } = call.resource;
  const { status: _status, ...rest } = object;
  const next = kind.subresources.status && !kind.keepsStatusOnCreate ? rest : object;
  const time = toTime(context.clock.nowMs());
  return trackUpdate({ kind, writer: writerOf(call), time, previous: undefined, next });
}

const settledByServer = [
  'resourceVersion',
  'uid',
  'creationTimestamp',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
] as const;

async function store(
  context: Context,
  call: Call,
  object: KubeObject,
  options: { dryRun: boolean; triesMax: number },
): Promise<KubeObject> {
  const { kind, strategy } = call.resource;
  const metadata = object.metadata!;
  // Before allocating: that the name is taken matters more to a client than that its address is.
  const isTaken =
    options.triesMax === 1 && context.store.get(keyOf(kind, metadata.namespace, metadata.name!));
  if (isTaken) throw alreadyExists(kind, metadata.name!);
  const allocation = strategy.allocate?.(object, undefined);
  try {
    for (let tries = 1; ; tries++) {
      const key = keyOf(kind, metadata.namespace, metadata.name!);
      try {
        if (options.dryRun) {
          if (context.store.get(key)) throw alreadyExists(kind, metadata.name!);
          allocation?.undo();
          return object;
        }
        const stored = await context.store.create(key, storedValueOf(object, kind));
        allocation?.keep();
        return objectOf(stored, kind);
      } catch (error) {
        if (!isStatus(error, 'AlreadyExists') || tries >= options.triesMax) throw error;
        metadata.name = generatedName(metadata.generateName!);
      }
    }
  } catch (error) {
    allocation?.undo();
    throw nameTaken(inClientsWords(error, call.resource, metadata.name!), call, options.triesMax > 1);
  }
}

function nameTaken(error: unknown, call: Call, isGenerated: boolean): unknown {
  if (!isGenerated || !isStatus(error, 'AlreadyExists')) return error;
  const text = `${groupResource(call.resource.kind)}: the server was not able to generate a unique name for the object`;
  return new StatusError('AlreadyExists', text, { ...(error.details && { details: error.details }) });
}

/** The namespace of the URL wins where the object names none; two different ones are an error. */
export function takeNamespace(call: Call, metadata: NonNullable<KubeObject['metadata']>): void {
  if (!call.resource.kind.namespaced) {
    if (metadata.namespace) throw namespaceMismatch('');
    delete metadata.namespace;
    return;
  }
  const { namespace } = call.info;
  if (!namespace) throw badRequest('an empty namespace may not be set during creation');
  if (metadata.namespace && metadata.namespace !== namespace) throw namespaceMismatch(namespace);
  metadata.namespace = namespace;
}

function namespaceMismatch(_namespace: string): StatusError {
  return badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';
const generatedNameMax = 63;
const suffixLength = 5;

/** Kubernetes' generated names: the base, cut to fit, and five letters that spell no word. */
function generatedName(base: string): string {
  let suffix = '';
  while (suffix.length < suffixLength)
    suffix += suffixLetters[Math.floor(Math.random() * suffixLetters.length)];
  return base.slice(0, generatedNameMax - suffixLength) + suffix;
}
