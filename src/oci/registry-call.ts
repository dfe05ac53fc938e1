import type { IncomingMessage, ServerResponse } from 'node:http';

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

export function sendJson(call: Call, content: unknown, type = 'application/json'): void {
  const body = Buffer.from(JSON.stringify(content));
  call.response.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length });
  call.response.end(call.request.method === 'HEAD' ? undefined : body);
}
