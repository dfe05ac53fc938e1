import { StatusError } from '../base/errors.ts';

const sharedMemory =
  'shared memory is not offered: client and server have none in common; send tensors in the request';
const tracing =
  'the trace extension is not offered; see /metrics and the statistics of /v2/models/NAME/stats';
const logging = 'the logging extension is not offered: what the server writes is not settable';

/** Triton's extensions that are not here, by how their paths begin. */
const byPath: [RegExp, string][] = [
  [/^\/v2\/(system|cuda)sharedmemory(\/|$)/, sharedMemory],
  [/^\/v2\/(models\/[^/]+(\/versions\/[^/]+)?\/)?trace\/setting$/, tracing],
  [/^\/v2\/logging$/, logging],
];

/** And by their procedures. */
export const notOfferedCalls: Record<string, string> = {
  SystemSharedMemoryStatus: sharedMemory,
  SystemSharedMemoryRegister: sharedMemory,
  SystemSharedMemoryUnregister: sharedMemory,
  CudaSharedMemoryStatus: sharedMemory,
  CudaSharedMemoryRegister: sharedMemory,
  CudaSharedMemoryUnregister: sharedMemory,
  TraceSetting: tracing,
  LogSettings: logging,
};

/** Refuses a path of an extension that is not offered, in words. Throws NotFound. */
export function refuseNotOffered(path: string): void {
  const found = byPath.find(([pattern]) => pattern.test(path));
  if (found) throw new StatusError('NotFound', found[1]);
}
