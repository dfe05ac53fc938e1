import type { Readable } from 'node:stream';
import type { KubeList, KubeObject } from '../api/object.ts';
import type { ApiResponse } from '../client/transport.ts';

/** A list that is read while it is sent, so that a long one is never whole in memory. */
export interface ListAnswer {
  code: number;
  headers: Record<string, string>;
  kind: 'list';
  /** The list without its members. */
  head: object;
  /** What the members are called: `items` of a List, `rows` of a Table. */
  member: 'items' | 'rows';
  pages: AsyncIterable<readonly object[]>;
}

/** What another server has answered, as it comes. */
export interface ProxiedAnswer {
  code: number;
  /** Lower-case names. */
  headers: Record<string, string | string[]>;
  kind: 'proxied';
  bytes: Readable;
}

/** What a request is answered with, before it travels. */
export type Answer = ApiResponse | ListAnswer | ProxiedAnswer;

/** Reads a list whole, for callers in this process. */
export async function collected(answer: Exclude<Answer, ProxiedAnswer>): Promise<ApiResponse> {
  if (answer.kind !== 'list') return answer;
  const { code, headers, head, member, pages } = answer;
  const members: object[] = [];
  for await (const page of pages) for (const one of page) members.push(one);
  return { code, headers, kind: 'object', object: { ...head, [member]: members } };
}

/** A list of objects before it is shown in the form that the client asked for. */
export interface Listing {
  head: Omit<KubeList, 'items'>;
  pages: AsyncIterable<readonly KubeObject[]>;
}

/** Pages of which there is one. */
export async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
