import type { Status } from '../../base/errors.ts';
import type { Call, Context } from '../context.ts';
import { isRecord, readDeleteOptions, readWriteOptions } from '../options.ts';
import { deleteObject } from './delete.ts';

/** Answers a POST of an Eviction: without disruption budgets, a deletion by another name. */
export async function evict(context: Context, call: Call): Promise<Status> {
  const { body, query } = call.request;
  const options = readDeleteOptions(query, isRecord(body) ? (body.deleteOptions ?? {}) : {});
  const dryRun = options.dryRun || readWriteOptions(query).dryRun;
  await deleteObject(context, call, call.info.name!, { ...options, dryRun });
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}
