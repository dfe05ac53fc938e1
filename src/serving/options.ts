import { availableParallelism } from 'node:os';
import { batchRowsMax, latencyBudgetMsMax } from './batching.ts';
import type { Limits } from './limits.ts';
import type { PayloadLogOptions } from './payload-log.ts';
import { inlineMsDefault } from './session.ts';

/** What the environment of the built-in server may set; docs/serving.md has the table. */
export interface ServerOptions {
  name: string;
  version: string;
  /** A folder of models; without it the model at /mnt/models. */
  repository: string | undefined;
  port: number;
  /** 0: no gRPC. */
  grpcPort: number;
  /** Of one run. */
  threads: number;
  /** Runs of a model at a time. */
  concurrency: number;
  inlineMsMax: number;
  rowsMax: number;
  latencyBudgetMs: number;
  /** How often the folder is looked at; 0: never. */
  watchMs: number;
  hardBelow: number;
  escalation: { url: string; below: number; ratePerSecond: number; timeoutMs: number } | undefined;
  /** `host[:port]` of who explains the model's answers. */
  explainer: string | undefined;
  limits: Limits;
  payloadLog: Pick<PayloadLogOptions, 'url' | 'mode' | 'source'> | undefined;
}

/** Throws an Error that names the variable, and what it must be. */
export function readOptions(env: Record<string, string | undefined>): ServerOptions {
  function numberOf(variable: string, lowest: number, highest: number, otherwise: number): number {
    const number = Number(env[variable] || otherwise);
    if (number >= lowest && number <= highest) return number;
    throw new Error(`$${variable} must be a number from ${lowest} to ${highest}, got "${env[variable]}"`);
  }
  const integerOf = (...bounds: Parameters<typeof numberOf>) => Math.floor(numberOf(...bounds));
  const concurrency = integerOf('CONCURRENCY', 1, 64, 1);
  const url = env.ESCALATE_URL;
  if (url && !/^https?:\/\//.test(url))
    throw new Error(`$ESCALATE_URL must be the http:// URL of an infer path, got "${url}"`);
  return {
    name: env.MODEL_NAME ?? 'model',
    version: env.MODEL_VERSION ?? '1',
    repository: env.MODEL_REPOSITORY || undefined,
    port: integerOf('PORT', 1, 65535, 8080),
    grpcPort: integerOf('GRPC_PORT', 0, 65535, 8081),
    threads: integerOf('THREADS', 1, 256, threadsOf(concurrency)),
    concurrency,
    // What the server's own thread runs, no worker runs beside it.
    inlineMsMax: numberOf('INLINE_MS_MAX', 0, 50, concurrency === 1 ? inlineMsDefault : 0),
    rowsMax: integerOf('BATCH_ROWS_MAX', 1, batchRowsMax, batchRowsMax),
    latencyBudgetMs: numberOf('BATCH_LATENCY_MS', 0, latencyBudgetMsMax, 0),
    watchMs: integerOf('MODEL_WATCH_MS', 0, 3_600_000, 1_000),
    hardBelow: numberOf('HARD_EXAMPLES_BELOW', 0, 1, 0.5),
    escalation: url
      ? {
          url,
          below: numberOf('ESCALATE_BELOW', 0, 1, 0.5),
          ratePerSecond: numberOf('ESCALATE_RATE', 0, 10_000, 10),
          timeoutMs: integerOf('ESCALATE_TIMEOUT_MS', 1, 60_000, 1_000),
        }
      : undefined,
    explainer: env.EXPLAINER_HOST || undefined,
    limits: {
      requestsMax: integerOf('REQUESTS_MAX', 0, 100_000, 0),
      timeoutMs: 1_000 * numberOf('REQUEST_TIMEOUT_SECONDS', 0, 86_400, 0),
    },
    payloadLog: payloadLogOf(env),
  };
}

function payloadLogOf(env: Record<string, string | undefined>): ServerOptions['payloadLog'] {
  const { LOGGER_URL: url, LOGGER_MODE: mode = 'all' } = env;
  if (!url) return undefined;
  if (!/^https?:\/\//.test(url)) throw new Error(`$LOGGER_URL must be an http:// URL, got "${url}"`);
  if (mode !== 'all' && mode !== 'request' && mode !== 'response')
    throw new Error(`$LOGGER_MODE must be all, request or response, got "${mode}"`);
  const source = {
    inferenceService: env.LOGGER_INFERENCE_SERVICE ?? '',
    namespace: env.LOGGER_NAMESPACE ?? '',
    component: 'predictor',
    endpoint: env.LOGGER_ENDPOINT ?? 'default',
  };
  return { url, mode, source };
}

/** Two for a single run, as far as there are processors; with several at a time each processor works on one. */
function threadsOf(concurrency: number): number {
  return Math.max(1, Math.min(2, Math.floor(availableParallelism() / concurrency)));
}
