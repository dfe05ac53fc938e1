import type { KubeObject } from '../../api/object.ts';
import type { StatusError } from '../../base/errors.ts';
import type { DeleteOptions } from '../options.ts';
import type { User } from '../user.ts';

/** What the server itself decides about a kind's objects, beyond what the kind's schema says. */
export interface Strategy<T extends KubeObject = KubeObject> {
  /** Writes into a new object, which it owns, what its maker is taken to have said and thus owns. */
  presume?(object: T): void;
  /** Completes an object that is about to be made, before validation; owns it. */
  prepareCreate?(object: T, user: User): void;
  /** Completes `next`, which it owns, before validation. */
  prepareUpdate?(next: T, previous: T, user: User): void;
  /** Throws for what this user may not write, on a create and on every kind of update; before validation. */
  admit?(next: T, previous: T | undefined, user: User): void;
  /** Takes from the cluster what a valid object needs (addresses, ports) and writes it into `next`, which it owns. */
  allocate?(next: T, previous: T | undefined): Allocation;
  /** Says why an object must not be deleted. */
  refuseDelete?(object: T): StatusError | undefined;
  /** Seconds until a deleted object goes for good; 0 or absent means at once. */
  graceSeconds?(object: T, options: DeleteOptions): number;
  /** Whether something other than `metadata.finalizers` keeps a deleted object. */
  isHeld?(object: T): boolean;
  /** Runs when deletion begins on an object that stays for a while; owns `object`. */
  beginDelete?(object: T): void;
  /** Runs after an object left the store: gives back what was allocated. */
  removed?(object: T): void;
  /** A PUT to a name that does not exist makes the object. */
  isCreatedOnUpdate?: boolean;
  /** A deletion is answered with the object rather than with a Status. */
  answersDeleteWithObject?: boolean;
  /** Who says nothing of its dependents leaves them behind. */
  orphansByDefault?: boolean;
  /** What a client is told of a deletion that is fine but hardly what it meant. */
  warnDelete?(options: DeleteOptions): string | undefined;
}

/** What a write took and no longer needs; exactly one of the two is called. */
export interface Allocation {
  /** The write is durable: gives back what only the previous object had. */
  keep(): void;
  /** The write failed or was only tried: gives back what was taken for it. */
  undo(): void;
}
