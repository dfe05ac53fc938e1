// In the cloud: keeps the newest summary of each camera and the newest images that a site's model was unsure of.
const imagesMax = 64;

const started = new Date().toISOString();
const cameras = new Map<string, unknown>();
const camerasMax = 100;
const uncertain = { received: 0, bytes: 0 };
const images: { site: string; label: string; confidence: number; bytes: Uint8Array }[] = [];

async function keepImage(request: Request): Promise<Response> {
  const bytes = new Uint8Array(await request.arrayBuffer());
  const header = (name: string) => request.headers.get(name) ?? '';
  uncertain.received++;
  uncertain.bytes += bytes.length;
  images.push({
    site: header('x-site'),
    label: header('x-label'),
    confidence: Number(header('x-confidence')),
    bytes,
  });
  if (images.length > imagesMax) images.shift();
  return new Response(null, { status: 204 });
}

async function keepSummary(request: Request): Promise<Response> {
  const summary = (await request.json()) as { site: string };
  if (!cameras.has(summary.site) && cameras.size >= camerasMax)
    return new Response('too many cameras\n', { status: 507 });
  cameras.set(summary.site, summary);
  return new Response(null, { status: 204 });
}

export default {
  fetch(request: Request): Promise<Response> | Response {
    const { pathname } = new URL(request.url);
    if (request.method === 'POST' && pathname === '/uncertain') return keepImage(request);
    if (request.method === 'POST' && pathname === '/summary') return keepSummary(request);
    if (pathname === '/') {
      const newest = images.map(({ bytes, ...image }) => image).slice(-5);
      return Response.json({ started, cameras: [...cameras.values()], uncertain: { ...uncertain, newest } });
    }
    return new Response(`no such page: ${pathname}; try /\n`, { status: 404 });
  },
};
