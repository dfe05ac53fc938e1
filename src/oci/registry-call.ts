import type { IncomingMessage, ServerResponse } from 'node:http';

import { StatusError } from '../base/errors.ts';
import type { ContentStore } from './content-store.ts';

export interface Access {
  /** Undefined for the catalogue, which lists all repositories. */
  repository: string | undefined;
  action: 'pull' | 'push' | 'delete' | 'catalog';
}

/** What a route handler gets: one request, already matched and authorised. */
export interface Call {
  store: ContentStore;
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  blobBytesMax: number;
  mayAccess(access: Access): Promise<boolean>;
}

/** A body of which nothing comes for this long is cut off; of a blob, what has come is kept. */
export const bodyIdleMs = 60_000;

/** The request's body, as long as it keeps coming; the time that its reader takes does not count. */
export async function* bodyOf({ request, store: { clock } }: Call): AsyncGenerator<Buffer> {
  const wait = () =>
    clock.after(bodyIdleMs, () => {
      const message = `nothing came for ${bodyIdleMs / 1000} s`;
      request.destroy(new StatusError('Timeout', message));
    });
  let cancel = wait();
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      cancel();
      yield chunk;
      cancel = wait();
    }
  } finally {
    cancel();
  }
}

export function sendJson(call: Call, content: unknown, type = 'application/json'): void {
  const body = Buffer.from(JSON.stringify(content));
  call.response.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length });
  call.response.end(call.request.method === 'HEAD' ? undefined : body);
}
