const version = '1.0.0';

/** The article's `my-app`: answers every request with its version and the pod that served it. */
export default {
  fetch(request: Request): Response {
    console.log(`${request.method} ${new URL(request.url).pathname}`);
    return new Response(`Hello from my-app ${version}, pod ${process.env.HOSTNAME}\n`);
  },
};
