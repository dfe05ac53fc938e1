import type { KindDefinition } from '../api/kind.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ApiRequest } from '../client/transport.ts';
import type { Store } from '../store/store.ts';
import type { AdmissionChain } from './admission/chain.ts';
import type { ConvertedStore } from './custom-resources/converted-store.ts';
import type { ResourceInfo } from './request-info.ts';
import type { Strategy } from './strategies/strategy.ts';
import type { User } from './user.ts';

/** What the verbs work with. */
export interface Context {
  store: Store;
  clock: Clock;
  log: Log;
  admission: AdmissionChain;
}

/** A kind as this server serves it. */
export interface Resource {
  kind: KindDefinition;
  strategy: Strategy;
  /** Of a custom resource: the store, in which its objects appear in this version. */
  store?: ConvertedStore;
}

/** One request for a resource, on its way through a verb. */
export interface Call {
  request: ApiRequest;
  info: ResourceInfo;
  user: User;
  resource: Resource;
  /** Sent to the client as `Warning` headers. */
  warnings: string[];
  /** What admission noted for the audit log, by key. */
  auditAnnotations: Record<string, string>;
}
