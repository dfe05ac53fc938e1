import { event } from '../api/addresses.ts';
import type { Event } from '../api/kinds/event.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { type Clock, sleep, toTime } from '../base/clock.ts';
import { isStatus, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Client } from './client.ts';

/** Events about one object: this many at once, then one every `refillMs`; the rest is dropped. */
export const burstMax = 25;
const refillMs = 300_000;
/** From so many messages with one reason about one object on, within so long, the further ones share one event. */
export const similarMax = 10;
const similarMs = 600_000;
const combinedPrefix = '(combined from similar events): ';
/** Kinds of events remembered, so that repeats are counted; the one unused for longest is forgotten. */
const rememberedMax = 1024;
/** Writes that wait, for instance while the link is down; the oldest is dropped. */
export const pendingMax = 256;
const messageCharactersMax = 1024;
const retryMs = 10_000;
const attemptsMax = 12;

/** core/v1 ObjectReference, as far as events use it. */
export interface EventSubject {
  apiVersion: string;
  kind: string;
  name: string;
  namespace?: string | undefined;
  uid?: string | undefined;
  resourceVersion?: string | undefined;
  fieldPath?: string | undefined;
}

/** Tells people what happened to an object, through core/v1 Events. Never throws and never waits. */
export interface EventRecorder {
  record(subject: EventSubject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Resolves when what was recorded is written or given up. */
  flush(): Promise<void>;
  /** Gives up what waits. */
  stop(): void;
}

/** The subject that stands for `object`, whose kind the caller names because listed objects don't carry it. */
export function subjectOf(kind: KindAddress, object: KubeObject): EventSubject {
  const { name = '', namespace, uid, resourceVersion } = object.metadata ?? {};
  const apiVersion = kind.group ? `${kind.group}/${kind.version}` : kind.version;
  return { apiVersion, kind: kind.kind, name, namespace, uid, resourceVersion };
}

/** One kind of happening: the same subject, reason and message; or the same subject and reason, once there are many. */
interface Series {
  event: Event;
  isCreated: boolean;
}

export function createEventRecorder(options: {
  client: Client;
  clock: Clock;
  log: Log;
  /** Who tells, e.g. `deployment-controller`. */
  component: string;
  /** The node that tells, if any. */
  host?: string;
}): EventRecorder {
  return new Recorder(options);
}

class Recorder implements EventRecorder {
  #options: Parameters<typeof createEventRecorder>[0];
  #series = new Map<string, Series>();
  #similar = new Map<string, { messages: Set<string>; atMs: number }>();
  #buckets = new Map<string, { tokens: number; atMs: number }>();
  #pending = new Set<Series>();
  #writing: Promise<void> | undefined;
  #lastStampNs = 0n;
  #stopping = new AbortController();

  constructor(options: Parameters<typeof createEventRecorder>[0]) {
    this.#options = options;
  }

  record(subject: EventSubject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    if (this.#stopping.signal.aborted) return;
    const { log } = this.#options;
    const text =
      message.length > messageCharactersMax ? `${message.slice(0, messageCharactersMax - 1)}…` : message;
    const object = `${subject.kind}/${subject.namespace ?? ''}/${subject.name}/${subject.uid ?? ''}`;
    const series = this.#seriesOf(subject, `${object}/${type}/${reason}`, type, reason, text);
    if (!this.#take(object)) {
      log.debug('event not written, too many about this object', { object, reason });
      return;
    }
    this.#enqueue(series);
  }

  /** The series that a happening belongs to, with it counted in. */
  #seriesOf(subject: EventSubject, alike: string, type: string, reason: string, message: string): Series {
    const isOneOfMany = this.#isOneOfMany(alike, message);
    const text = isOneOfMany ? combinedPrefix + message : message;
    const key = isOneOfMany ? alike : `${alike}/${subject.fieldPath ?? ''}/${message}`;
    const present = this.#series.get(key);
    const series = present ?? { event: this.#compose(subject, type, reason, text), isCreated: false };
    if (present) {
      const { count = 1 } = present.event;
      const lastTimestamp = toTime(this.#options.clock.nowMs());
      present.event = { ...present.event, message: text, count: count + 1, lastTimestamp };
    }
    remember(this.#series, key, series);
    return series;
  }

  #isOneOfMany(alike: string, message: string): boolean {
    const atMs = this.#options.clock.nowMs();
    const before = this.#similar.get(alike);
    const isRecent = before !== undefined && atMs - before.atMs <= similarMs;
    const messages = isRecent ? before.messages : new Set<string>();
    messages.add(message);
    remember(this.#similar, alike, { messages, atMs });
    if (messages.size < similarMax) return false;
    const [oldest] = messages;
    messages.delete(oldest!);
    return true;
  }

  async flush(): Promise<void> {
    await this.#writing;
  }

  stop(): void {
    this.#stopping.abort();
    this.#pending.clear();
  }

  /** Whether the subject's token bucket allows one more. */
  #take(object: string): boolean {
    const nowMs = this.#options.clock.nowMs();
    const bucket = this.#buckets.get(object) ?? { tokens: burstMax, atMs: nowMs };
    const tokens = Math.min(burstMax, bucket.tokens + (nowMs - bucket.atMs) / refillMs);
    const isAllowed = tokens >= 1;
    remember(this.#buckets, object, { tokens: isAllowed ? tokens - 1 : tokens, atMs: nowMs });
    return isAllowed;
  }

  /** Nanoseconds since the epoch in hex, as Kubernetes names events: lists in the order of names are then in order of time. */
  #nextStamp(): string {
    const nowNs =
      BigInt(Math.trunc(this.#options.clock.nowMs())) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
    this.#lastStampNs = nowNs > this.#lastStampNs ? nowNs : this.#lastStampNs + 1n;
    return this.#lastStampNs.toString(16);
  }

  #compose(subject: EventSubject, type: string, reason: string, message: string): Event {
    const { clock, component, host } = this.#options;
    const time = toTime(clock.nowMs());
    return {
      // Kubernetes keeps events about cluster-scoped objects in the default namespace.
      metadata: {
        name: `${subject.name}.${this.#nextStamp()}`,
        namespace: subject.namespace || 'default',
      },
      involvedObject: subject,
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source: { component, host },
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
  }

  #enqueue(series: Series): void {
    this.#pending.add(series);
    if (this.#pending.size > pendingMax) {
      const [oldest] = this.#pending;
      this.#pending.delete(oldest!);
    }
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    let attempts = 0;
    while (!this.#stopping.signal.aborted) {
      const [series] = this.#pending;
      if (!series) {
        // In the same breath in which nothing was found: what is recorded a moment later begins anew.
        this.#writing = undefined;
        return;
      }
      this.#pending.delete(series);
      try {
        await this.#write(series);
        attempts = 0;
      } catch (error) {
        const isWorthRetry = isStatus(error, 'ServiceUnavailable') && ++attempts < attemptsMax;
        if (!isWorthRetry) {
          this.#options.log.debug('event not written', {
            reason: series.event.reason,
            error: messageOf(error),
          });
          continue;
        }
        this.#pending = new Set([series, ...this.#pending]);
        await sleep(this.#options.clock, retryMs, this.#stopping.signal);
      }
    }
  }

  async #write(series: Series): Promise<void> {
    const { client } = this.#options;
    const { metadata, message, count, lastTimestamp } = series.event;
    if (series.isCreated) {
      try {
        const key = { namespace: metadata?.namespace, name: metadata?.name ?? '' };
        await client.patch(event, key, { type: 'merge', body: { message, count, lastTimestamp } });
        return;
      } catch (error) {
        // Events expire on the server; the next one starts a new object.
        if (!isStatus(error, 'NotFound')) throw error;
      }
    }
    await client.create(event, series.event);
    series.isCreated = true;
  }
}

/** A map as a cache: the entry used last stands last, the first is forgotten when it grows too big. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= rememberedMax) return;
  const [oldest] = map.keys();
  map.delete(oldest!);
}
