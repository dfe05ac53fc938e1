import type { KindDefinition } from '../../api/kind.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Call, Resource } from '../context.ts';
import type { ResourceInfo } from '../request-info.ts';
import type { User } from '../user.ts';
import { optionsOf } from './options.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** A write as admission sees it, once access is granted and before it is stored. */
export interface AdmissionRequest {
  readonly operation: Operation;
  readonly resource: Resource;
  readonly info: ResourceInfo;
  /** `status`, `scale`, `exec`, …; absent for a write of the object itself. */
  readonly subresource?: string;
  /** Empty while a name that the server generates is not drawn yet. */
  readonly name: string;
  readonly namespace?: string;
  /**
   * What is to be stored, with its defaults; for a subresource what that takes (a Scale, a Binding, PodExecOptions).
   * Absent on DELETE. A mutating plugin changes it in place or sets another one; a validating one leaves it alone.
   */
  object?: KubeObject;
  /** What is there now, on UPDATE and DELETE. Shared: never changed. */
  readonly oldObject?: KubeObject;
  readonly user: User;
  /** The request as it was made, where this is how another version of its resource shows it. */
  readonly asked?: AdmissionRequest;
  /** True where nothing will be stored, so that nothing may happen elsewhere either. */
  readonly dryRun: boolean;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions of `meta.k8s.io/v1`. */
  readonly options: object;
  /** The client sees this as a `Warning` header. */
  warn(message: string): void;
  /** `key` is `plugin.domain/what`. */
  annotateAudit(key: string, value: string): void;
  /** Runs once, when the write is stored or has come to nothing. */
  afterwards(done: (isStored: boolean) => void): void;
}

/** One rule of the house for writes. Refuses by throwing; one that waits for nothing returns nothing. */
export interface AdmissionPlugin {
  readonly name: string;
  /** Whether such writes can be of interest; asked once for each kind, operation and subresource. All are, if absent. */
  handles?(operation: Operation, kind: KindDefinition, subresource: string | undefined): boolean;
  /** True while there is nothing that it would do for anybody, such as a quota's plugin without quotas. */
  isIdle?(): boolean;
  /** Changes `request.object`, before its validation. */
  mutate?(request: AdmissionRequest): void | Promise<void>;
  /** Judges what will be stored, after its validation. */
  validate?(request: AdmissionRequest): void | Promise<void>;
}

/** What a verb says of its write. */
export interface Write {
  operation: Operation;
  name: string;
  object?: KubeObject;
  oldObject?: KubeObject;
  dryRun: boolean;
}

interface Interested {
  mutating: readonly AdmissionPlugin[];
  validating: readonly AdmissionPlugin[];
}

/** The plugins in their order. A write that none of them wants costs a look-up. */
export class AdmissionChain {
  readonly #plugins: readonly AdmissionPlugin[];
  /** By kind, then by `operation/subresource`; both are of what this server serves. */
  readonly #interested = new WeakMap<KindDefinition, Map<string, Interested>>();

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#plugins = plugins;
  }

  /** What the write has to pass; undefined where no plugin wants to see it. */
  begin(call: Call, write: Write): Admission | undefined {
    const { mutating, validating } = this.#interestedIn(
      call.resource.kind,
      write.operation,
      call.info.subresource,
    );
    if (!mutating.some(isBusy) && !validating.some(isBusy)) return undefined;
    return new Admission(
      { mutating: mutating.filter(isBusy), validating: validating.filter(isBusy) },
      call,
      write,
    );
  }

  #interestedIn(kind: KindDefinition, operation: Operation, subresource: string | undefined): Interested {
    const ofKind = this.#interested.get(kind) ?? new Map<string, Interested>();
    this.#interested.set(kind, ofKind);
    const key = `${operation}/${subresource ?? ''}`;
    const known = ofKind.get(key);
    if (known) return known;
    const plugins = this.#plugins.filter((plugin) => plugin.handles?.(operation, kind, subresource) ?? true);
    const interested = {
      mutating: plugins.filter(({ mutate }) => mutate),
      validating: plugins.filter(({ validate }) => validate),
    };
    ofKind.set(key, interested);
    return interested;
  }
}

const isBusy = (plugin: AdmissionPlugin) => !plugin.isIdle?.();

/** One write on its way through the plugins that want to see it. */
export class Admission implements AdmissionRequest {
  readonly operation: Operation;
  readonly resource: Resource;
  readonly info: ResourceInfo;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly oldObject: KubeObject | undefined;
  readonly user: User;
  readonly dryRun: boolean;
  /** The verb sets these two again for the second half, when they are settled. */
  name: string;
  object: KubeObject | undefined;
  readonly #plugins: Interested;
  readonly #call: Call;
  readonly #done: ((isStored: boolean) => void)[] = [];

  constructor(plugins: Interested, call: Call, write: Write) {
    this.#plugins = plugins;
    this.#call = call;
    this.operation = write.operation;
    this.resource = call.resource;
    this.info = call.info;
    this.subresource = call.info.subresource;
    this.namespace = call.resource.kind.namespaced ? call.info.namespace : undefined;
    this.name = write.name;
    this.object = write.object;
    this.oldObject = write.oldObject;
    this.user = call.user;
    this.dryRun = write.dryRun;
  }

  get options(): object {
    return optionsOf(this.#call.request, this.operation);
  }

  /** Whether anybody may change the object, which must then be a copy that is nobody else's. */
  get mutates(): boolean {
    return this.#plugins.mutating.length > 0;
  }

  warn(message: string): void {
    if (!this.#call.warnings.includes(message)) this.#call.warnings.push(message);
  }

  annotateAudit(key: string, value: string): void {
    this.#call.auditAnnotations[key] = value;
  }

  afterwards(done: (isStored: boolean) => void): void {
    this.#done.push(done);
  }

  mutate(): void | Promise<void> {
    return inTurn(this.#plugins.mutating, 'mutate', this);
  }

  validate(): void | Promise<void> {
    return inTurn(this.#plugins.validating, 'validate', this);
  }

  /** Both, for what is not validated in between: deletions and connections. */
  async admit(): Promise<void> {
    await this.mutate();
    await this.validate();
  }

  /** The write that was admitted is over. */
  settle(isStored: boolean): void {
    for (const done of this.#done.splice(0).reverse()) done(isStored);
  }
}

/** Waits only where a plugin has to. */
function inTurn(
  plugins: readonly AdmissionPlugin[],
  stage: 'mutate' | 'validate',
  request: AdmissionRequest,
  from = 0,
): void | Promise<void> {
  for (let at = from; at < plugins.length; at++) {
    const waiting = plugins[at]![stage]?.(request);
    if (waiting) return waiting.then(() => inTurn(plugins, stage, request, at + 1));
  }
}
