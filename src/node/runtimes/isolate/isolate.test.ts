import { silentLog } from '../../../base/log.ts';
import { testRuntime } from '../runtime.contract.ts';
import { connectShim } from '../shim/client.ts';

testRuntime('isolate', async ({ dir }) => {
  const runtime = await connectShim({ dataDir: dir, log: silentLog, spawnIfAbsent: true });
  return { runtime, close: () => runtime.shutdown({ graceSeconds: 1 }) };
});
