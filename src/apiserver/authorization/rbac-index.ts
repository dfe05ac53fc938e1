import type { ClusterRole } from '../../api/kinds/clusterRole.ts';
import type { Role } from '../../api/kinds/role.ts';
import type { Binding, PolicyRule, Subject } from '../../api/parts/rbac.ts';
import { rbacGroup } from '../../api/parts/rbac.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import { keyOf } from '../stored.ts';
import type { User } from '../user.ts';

const prefix = `/${rbacGroup}/`;

/** A binding that gives a user a role, and the subject in it that is the user. */
export interface Grant {
  binding: Binding;
  subject: Subject;
}

/**
 * Roles and bindings as the store has them, bindings by whom they name. Filled when it is made and kept up to date by
 * a watch, which ends when the store is closed.
 */
export class RbacIndex {
  readonly #store: Store;
  readonly #log: Log;
  /** Store key of a role to its rules. */
  readonly #rules = new Map<string, readonly PolicyRule[]>();
  readonly #bindings = new Map<string, Binding>();
  /** By namespace ('' for the whole cluster) and subject. */
  readonly #grants = new Map<string, Map<string, Grant>>();

  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#follow();
  }

  /** The rules of a role; undefined when there is none. */
  rulesOf(role: {
    kind: string;
    name: string;
    namespace?: string | undefined;
  }): readonly PolicyRule[] | undefined {
    const isNamespaced = role.kind === 'Role';
    const kind = {
      group: rbacGroup,
      plural: isNamespaced ? 'roles' : 'clusterroles',
      namespaced: isNamespaced,
    };
    return this.#rules.get(keyOf(kind, role.namespace, role.name));
  }

  /** What a user was given in a namespace, or with '' in the whole cluster. */
  *grantsOf(user: User, namespace: string): Iterable<Grant> {
    const seen = new Set<Binding>();
    for (const subject of [`User/${user.name}`, ...user.groups.map((group) => `Group/${group}`)]) {
      for (const grant of this.#grants.get(`${namespace}\0${subject}`)?.values() ?? []) {
        if (!seen.has(grant.binding)) yield grant;
        seen.add(grant.binding);
      }
    }
  }

  #follow(): void {
    const page = this.#store.list(prefix);
    for (const key of [...this.#rules.keys(), ...this.#bindings.keys()]) this.#remove(key);
    for (const { key, value } of page.items) this.#put(key, value);
    this.#watch(page.revision).catch((error: unknown) => {
      // Closed stores end a watch without an error, so this one fell behind: what is held may be too old.
      this.#log.warn('roles and bindings are read anew', { error: messageOf(error) });
      try {
        this.#follow();
      } catch (failure) {
        this.#log.error('roles and bindings cannot be read', { error: messageOf(failure) });
        for (const key of [...this.#rules.keys(), ...this.#bindings.keys()]) this.#remove(key);
      }
    });
  }

  async #watch(fromRevision: number): Promise<void> {
    for await (const { type, key, value } of this.#store.watch(prefix, { fromRevision })) {
      this.#remove(key);
      if (type === 'put') this.#put(key, value);
    }
  }

  #put(key: string, value: object): void {
    const plural = key.slice(prefix.length).split('/')[0]!;
    if (plural === 'roles' || plural === 'clusterroles') {
      this.#rules.set(key, (value as Role | ClusterRole).rules ?? []);
    } else if (plural === 'rolebindings' || plural === 'clusterrolebindings') {
      const binding = value as Binding;
      this.#bindings.set(key, binding);
      for (const [at, subject] of placesOf(binding)) {
        const grants = this.#grants.get(at) ?? new Map<string, Grant>();
        this.#grants.set(at, grants);
        if (!grants.has(key)) grants.set(key, { binding, subject });
      }
    }
  }

  #remove(key: string): void {
    this.#rules.delete(key);
    const binding = this.#bindings.get(key);
    if (!binding) return;
    this.#bindings.delete(key);
    for (const [at] of placesOf(binding)) {
      const grants = this.#grants.get(at);
      grants?.delete(key);
      if (grants?.size === 0) this.#grants.delete(at);
    }
  }
}

/** A service account is a user whose name says so. */
function placesOf({ metadata, subjects = [] }: Binding): [string, Subject][] {
  const scope = metadata?.namespace ?? '';
  return subjects.flatMap((subject): [string, Subject][] => {
    if (subject.kind === 'User' || subject.kind === 'Group') {
      return [[`${scope}\0${subject.kind}/${subject.name}`, subject]];
    }
    const namespace = subject.namespace || scope;
    if (subject.kind !== 'ServiceAccount' || namespace === '') return [];
    return [[`${scope}\0User/system:serviceaccount:${namespace}:${subject.name}`, subject]];
  });
}
