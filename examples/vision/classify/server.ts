// Decides on each image with the model of its own site (Open Inference Protocol v2, binary tensors). Only images
// that the model is unsure of go to the cloud, where somebody can look at them.
import { createModel, type Model } from './model.ts';

const modelUrl = process.env.MODEL_URL ?? 'http://cifar10-predictor';
const modelName = process.env.MODEL_NAME ?? 'cifar10';
const confidenceMin = Number(process.env.CONFIDENCE_MIN ?? 0.5);
const site = process.env.SITE ?? 'unknown';
/** What this site may send: an uplink is metered, and a person can't look at more. */
const imagesPerSecondMax = Number(process.env.IMAGES_PER_SECOND_MAX ?? 2);
const waitingMax = 16;

const model = createModel(modelUrl, modelName);
let waiting = 0;
let heldBack = 0;
let sendAgainMs = 0;

async function classify(request: Request): Promise<Response> {
  const image = new Uint8Array(await request.arrayBuffer());
  const decision = await model.classify(image);
  if (decision.confidence < confidenceMin) void sendUncertain(image, decision);
  return Response.json(decision);
}

/** Sends an image to the collector without making the camera wait; what exceeds the budget is held back and counted. */
async function sendUncertain(
  image: Uint8Array<ArrayBuffer>,
  decision: { label: string; confidence: number },
) {
  if (waiting >= waitingMax || performance.now() < sendAgainMs) return void heldBack++;
  sendAgainMs = performance.now() + 1000 / imagesPerSecondMax;
  waiting++;
  const headers = {
    'x-site': site,
    'x-label': decision.label,
    'x-confidence': decision.confidence.toFixed(4),
  };
  try {
    await fetch('http://collector/uncertain', { method: 'POST', body: image, headers });
  } catch (error) {
    heldBack++;
    console.error((error as Error).message);
  } finally {
    waiting--;
  }
}

/** The time of `count` requests to this site's model and to the same model elsewhere, one after another and in turn. */
async function compare(query: URLSearchParams): Promise<Response> {
  const elsewhere = createModel(query.get('with') ?? modelUrl, query.get('model') ?? modelName);
  const count = Math.min(1000, Number(query.get('count') ?? 50));
  const image = crypto.getRandomValues(new Uint8Array(32 * 32 * 3));
  const times = { here: [] as number[], elsewhere: [] as number[] };
  await Promise.all([model.classify(image), elsewhere.classify(image)]);
  for (let i = 0; i < count; i++) {
    times.here.push(await timeMs(model, image));
    times.elsewhere.push(await timeMs(elsewhere, image));
  }
  return Response.json({ site, ...times });
}

async function timeMs(target: Model, image: Uint8Array<ArrayBuffer>): Promise<number> {
  const startMs = performance.now();
  await target.classify(image);
  return performance.now() - startMs;
}

export default {
  fetch(request: Request): Promise<Response> | Response {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method === 'POST') return classify(request);
    if (pathname === '/compare') return compare(searchParams);
    return Response.json({ site, heldBack });
  },
};
