/**
 * A Response whose body is all there. It makes a stream only for who asks for one: in Node a stream costs more than all
 * the rest of a small response.
 */
export class WholeResponse extends Response {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #init: ResponseInit;
  #isRead = false;
  /** Takes over once somebody wants the stream. */
  #streamed: Response | undefined;

  constructor(bytes: Uint8Array<ArrayBuffer>, init: ResponseInit) {
    super(null, init);
    this.#bytes = bytes;
    this.#init = init;
  }

  override get body(): Response['body'] {
    return this.#stream().body;
  }

  override get bodyUsed(): boolean {
    return this.#streamed?.bodyUsed ?? this.#isRead;
  }

  override async text(): Promise<string> {
    return this.#streamed ? this.#streamed.text() : new TextDecoder().decode(this.#take());
  }

  override async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  override async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#streamed ? this.#streamed.bytes() : new Uint8Array(this.#take());
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  override blob(): Promise<Blob> {
    return this.#stream().blob();
  }

  override formData(): Promise<FormData> {
    return this.#stream().formData();
  }

  override clone(): Response {
    if (this.#streamed) return this.#streamed.clone();
    if (this.#isRead) throw alreadyRead();
    const copy = new WholeResponse(this.#bytes, { ...this.#init, headers: this.headers });
    return Object.defineProperty(copy, 'url', { value: this.url });
  }

  #stream(): Response {
    if (!this.#streamed) {
      this.#streamed = new Response(this.#bytes, { ...this.#init, headers: this.headers });
      if (this.#isRead) void this.#streamed.text();
    }
    return this.#streamed;
  }

  #take(): Uint8Array<ArrayBuffer> {
    if (this.#isRead) throw alreadyRead();
    this.#isRead = true;
    return this.#bytes;
  }
}

function alreadyRead(): TypeError {
  return new TypeError('Body is unusable: Body has already been read');
}
