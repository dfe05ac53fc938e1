// The built-in model server, an isolate: serves the model that the pod mounts at /mnt/models as $MODEL_NAME, or every model
// of the folder that it mounts at $MODEL_REPOSITORY, over HTTP on $PORT and over gRPC on $GRPC_PORT. It follows the folder:
// new weights go live in place.
import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { Metrics } from '../base/metrics.ts';
import { withBatching } from './batching.ts';
import { withExplainer } from './explain.ts';
import { createEscalation } from './joint/escalation.ts';
import { createHttpServer } from './listen.ts';
import { readOptions } from './options.ts';
import { openRepository, openSingle } from './repository.ts';
import { createModelServer } from './server.ts';
import { startSession } from './session.ts';
import { watchFolder } from './watch-folder.ts';

const mountPath = '/mnt/models';
const mounts = JSON.parse(process.env.SELVAGE_MOUNTS ?? '{}') as Record<string, string>;
const options = readOptions(process.env);
const metrics = new Metrics();
const folder = folderAt(options.repository ?? mountPath);
const repository = options.repository
  ? openRepository({ folder, start })
  : openSingle({ name: options.name, version: options.version, folder, start });

// All models of the folder are loaded; one that can't be is told by the index, and keeps none of the others.
if (options.repository)
  for (const { name } of await repository.index())
    await repository.load(name).catch((error: Error) => console.error(error.message));
else await repository.load(options.name);

const { escalation } = options;
const server = createModelServer({
  models: [],
  repository,
  metrics,
  version: process.env.SELVAGE_VERSION ?? '',
  hardBelow: options.hardBelow,
  limits: options.limits,
  payloadLog: options.payloadLog,
  ...(escalation && { escalation: createEscalation({ ...escalation, clock: systemClock, metrics }) }),
});

const { explainer } = options;
const handle = explainer ? withExplainer(server.handle, { host: explainer, fetch }) : server.handle;
const listeners = [createHttpServer(handle).listen(options.port)];
if (options.grpcPort > 0) {
  // Loaded only here, for HTTP/2 takes memory.
  const { createGrpcServer } = await import('./grpc/listen.ts');
  listeners.push(createGrpcServer(server).listen(options.grpcPort) as never);
}
for (const listener of listeners)
  listener.on('error', (error) => {
    console.error(messageOf(error));
    process.exitCode = 1;
  });

if (options.watchMs > 0)
  watchFolder({
    repository,
    folder,
    clock: systemClock,
    intervalMs: options.watchMs,
    onError: console.error,
  });

function folderAt(path: string): string {
  return mounts[path] ?? path;
}

async function start(model: string, onnx: Uint8Array) {
  const { threads, concurrency, inlineMsMax, rowsMax, latencyBudgetMs } = options;
  const loaded = await startSession({ onnx, threads, concurrency, inlineMsMax });
  const batching = { model, metrics, clock: systemClock, rowsMax, latencyBudgetMs, concurrency };
  const session = await withBatching(loaded, batching);
  const told = session === loaded ? '' : `, batches of ${rowsMax}`;
  const atOnce = concurrency === 1 ? '' : `, ${concurrency} runs at a time`;
  console.log(`model "${model}" loaded: ${onnx.length} bytes of ONNX, ${threads} threads${atOnce}${told}`);
  return session;
}
