import { randomUUID } from 'node:crypto';
import type { PayloadLog } from '../payload-log.ts';
import type { Call } from './calls.ts';
import { encodeMessage } from './wire.ts';

const headers: Record<string, string> = { 'content-type': 'application/x-protobuf' };

/** Logs the messages of a call as over HTTP, in protobuf's encoding and without gRPC's frames. */
export function withPayloadLog(call: Call, log: PayloadLog): Call {
  const headerOf = (name: string) => headers[name];
  return {
    ...call,
    async answer(request) {
      const id = (request.id as string | undefined) || randomUUID();
      log.add('request', id, headerOf, encodeMessage(call.request, request));
      const response = await call.answer(request);
      log.add('response', id, headerOf, encodeMessage(call.response, response));
      return response;
    },
  };
}
