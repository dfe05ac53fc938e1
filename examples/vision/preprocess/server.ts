// Preprocessing at the edge: refuses what is no frame, drops frames too dark to tell anything, and turns the
// sensor's colour planes into the interleaved pixels that the model reads.
const side = 32;
const pixels = side * side;
const darkMean = Number(process.env.DARK_MEAN ?? 8);

export default {
  async fetch(request: Request): Promise<Response> {
    if (request.method !== 'POST') return new Response('preprocess: POST a frame\n');
    const planes = new Uint8Array(await request.arrayBuffer());
    if (planes.length !== 3 * pixels) {
      return new Response(
        `a frame has ${3 * pixels} bytes (3 planes of ${side} x ${side}), got ${planes.length}\n`,
        {
          status: 400,
        },
      );
    }
    if (planes.reduce((sum, value) => sum + value, 0) / planes.length < darkMean) {
      return Response.json({ label: 'dark', index: -1, confidence: 1 });
    }
    return fetch('http://classify/', { method: 'POST', body: interleave(planes) });
  },
};

/** From [3, 32, 32] to [32, 32, 3]. */
function interleave(planes: Uint8Array): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(3 * pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let channel = 0; channel < 3; channel++)
      image[3 * pixel + channel] = planes[channel * pixels + pixel]!;
  }
  return image;
}
