// SPDX-License-Identifier: Apache-2.0

/**
 * A client of the legible service: retries where the service says so, bounds what it accepts, ignores unknown fields.
 *
 * Its types come from the service's OpenAPI document: `npm run types` writes src/openapi.d.ts.
 *
 *     const client = new LegibleClient("http://localhost:3000");
 *     console.log((await client.read(await readFile("word.png"))).text);
 */

import type { components, operations } from "./openapi.js";

export type Reading = components["schemas"]["Reading"];
/** A read document: `pages`, each with `blocks` of `lines` in reading order. */
export type Document = components["schemas"]["Document"];
export type Refusal = components["schemas"]["Error"];
/** What `/read` may be asked in its address, and the channel that the image comes from. */
export type ReadOptions = NonNullable<operations["read"]["parameters"]["query"]> & { channel?: string };
type PageQuery = NonNullable<operations["read_page"]["parameters"]["query"]>;
/** The formats of `readPageAs`. */
export type PageFormat = Exclude<NonNullable<PageQuery["format"]>, "json">;
/** x and y in pixels of the picture as it is sent. */
export type Corner = readonly [number, number];
/**
 * What `/read_page` may be asked. `corners`: the four of the sheet in a photograph. `document` and `sender`: names of
 * which the service keeps digests only.
 */
export type PageOptions = Omit<PageQuery, "format" | "corners"> & {
  corners?: readonly [Corner, Corner, Corner, Corner];
  document?: string;
  sender?: string;
};
export type Image = Uint8Array<ArrayBuffer> | Blob;

export interface ClientSettings {
  /** Sent as a bearer token; none by default. */
  key?: string;
  /** How often a request is sent at most. */
  tries?: number;
  /** Of one request, its answer included. */
  timeoutSeconds?: number;
}

const RETRIED = new Set([429, 502, 503, 504]);
/** Options that go with the upload; all others are a part of the address. */
const FIELDS = new Set(["channel", "document", "sender"]);
const MAX_PAUSE_SECONDS = 30;
const MAX_ANSWER_BYTES = 50_000_000;

type Options = Record<string, string | number | boolean | null | undefined>;

/** The service refused an image or a request; `code` is one of those in docs/service.md. */
export class ServiceError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(`${code}: ${message}`);
    this.name = "ServiceError";
  }
}

export class LegibleClient {
  readonly #address: string;
  readonly #headers: Record<string, string>;
  readonly #tries: number;
  readonly #timeoutSeconds: number;

  constructor(address: string, { key = "", tries = 6, timeoutSeconds = 60 }: ClientSettings = {}) {
    if (!(tries >= 1)) throw new RangeError(`tries is ${tries}; it needs 1 or more`);
    this.#address = address.replace(/\/+$/, "");
    this.#headers = key ? { Authorization: `Bearer ${key}` } : {};
    this.#tries = tries;
    this.#timeoutSeconds = timeoutSeconds;
  }

  /** Read one image. Throws ServiceError where it is refused. */
  async read(image: Image, options: ReadOptions = {}): Promise<Reading> {
    return asReading(await this.#upload("/read", "image", [image], options));
  }

  /**
   * Read many images, `batch` to a request: a reading or an error for each, in order.
   *
   * What is refused as too large together is sent in halves, in the end one by one.
   */
  async *readMany(
    images: Iterable<Image> | AsyncIterable<Image>,
    { batch = 16, ...options }: ReadOptions & { batch?: number } = {},
  ): AsyncGenerator<Reading | ServiceError> {
    if (!(batch >= 1)) throw new RangeError(`batch is ${batch}; it needs 1 or more`);
    let some: Image[] = [];
    for await (const image of images) {
      some.push(image);
      if (some.length >= batch) {
        yield* await this.#readSome(some, options);
        some = [];
      }
    }
    if (some.length > 0) yield* await this.#readSome(some, options);
  }

  /** Read the pages of a picture, TIFF or PDF. Throws ServiceError where it is refused. */
  async readPage(file: Image, options: PageOptions = {}): Promise<Document> {
    return asDocument(await this.#upload("/read_page", "image", [file], pageOptions(options)));
  }

  /** Read the pages of a picture, TIFF or PDF, and return a file of another format, such as a searchable PDF. */
  async readPageAs(format: PageFormat, file: Image, options: PageOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const answer = await this.#sendUpload("/read_page", "image", [file], { ...pageOptions(options), format });
    return answer.ok ? bounded(answer) : refuse(answer);
  }

  /** Say what a reading should have been. */
  async correct(readingId: string, text: string): Promise<void> {
    const answer = await this.#send("/feedback", {
      body: JSON.stringify({ reading_id: readingId, text }),
      headers: { "Content-Type": "application/json" },
    });
    await contentOf(answer);
  }

  async #readSome(images: Image[], options: ReadOptions): Promise<(Reading | ServiceError)[]> {
    let content: unknown;
    try {
      content = await this.#upload("/read_batch", "images", images, options);
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== "too_large") throw error;
      if (images.length === 1) return [error];
      const half = Math.floor(images.length / 2);
      const first = await this.#readSome(images.slice(0, half), options);
      return [...first, ...(await this.#readSome(images.slice(half), options))];
    }
    const readings = isObject(content) && Array.isArray(content["readings"]) ? content["readings"] : [];
    if (readings.length !== images.length) {
      throw new ServiceError("wrong_answer", `${readings.length} readings came back for ${images.length} images`);
    }
    return readings.map((one: unknown) => refusal(one) ?? asReading(one));
  }

  async #upload(path: string, field: string, images: Image[], options: Options): Promise<unknown> {
    return contentOf(await this.#sendUpload(path, field, images, options));
  }

  #sendUpload(path: string, field: string, images: Image[], options: Options): Promise<Response> {
    const form = new FormData();
    const asked = new URLSearchParams();
    for (const [name, value] of Object.entries(options)) {
      if (value === undefined) continue;
      if (FIELDS.has(name)) form.append(name, String(value));
      else asked.append(name, String(value));
    }
    for (const image of images) form.append(field, image instanceof Blob ? image : new Blob([image]), "image");
    return this.#send(asked.size > 0 ? `${path}?${asked}` : path, { body: form });
  }

  /** The answer, asked for again where the service is full, draining or gone for a moment. */
  async #send(path: string, request: { body: FormData | string; headers?: Record<string, string> }): Promise<Response> {
    for (let number = 1; ; number++) {
      const isLast = number >= this.#tries;
      let answer: Response;
      try {
        answer = await fetch(this.#address + path, {
          method: "POST",
          body: request.body,
          headers: { ...this.#headers, ...request.headers },
          redirect: "error",
          signal: AbortSignal.timeout(1000 * this.#timeoutSeconds),
        });
      } catch (error) {
        if (isLast) throw error;
        await pause(null, number);
        continue;
      }
      if (isLast || !RETRIED.has(answer.status)) return answer;
      await answer.body?.cancel();
      await pause(answer.headers.get("Retry-After"), number);
    }
  }
}

async function contentOf(answer: Response): Promise<unknown> {
  if (!answer.ok) return refuse(answer);
  const body = new TextDecoder().decode(await bounded(answer));
  try {
    return JSON.parse(body);
  } catch {
    throw new ServiceError("wrong_answer", body.slice(0, 200));
  }
}

/** Throw what the service says of its refusal. */
async function refuse(answer: Response): Promise<never> {
  const body = new TextDecoder().decode(await bounded(answer));
  let content: unknown;
  try {
    content = JSON.parse(body);
  } catch {
    // no word of the service, but of something before it
  }
  throw refusal(content) ?? new ServiceError(String(answer.status), body.slice(0, 200));
}

async function bounded(answer: Response): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const reader = answer.body?.getReader();
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    bytes += part.value.length;
    if (bytes > MAX_ANSWER_BYTES) {
      await reader?.cancel();
      throw new ServiceError("wrong_answer", `the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    }
    parts.push(part.value);
  }
  const body = new Uint8Array(bytes);
  let start = 0;
  for (const part of parts) {
    body.set(part, start);
    start += part.length;
  }
  return body;
}

/** Wait as long as the service asks for, else twice as long each time; at most MAX_PAUSE_SECONDS. */
function pause(asked: string | null, number: number): Promise<void> {
  const seconds = asked && /^\d{1,9}$/.test(asked) ? Number(asked) : 0.25 * 2 ** number;
  return new Promise((done) => setTimeout(done, 1000 * Math.min(seconds, MAX_PAUSE_SECONDS)));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function pageOptions({ corners, ...options }: PageOptions): Options {
  return { ...options, corners: corners?.flat().map(Math.round).join(",") };
}

function refusal(content: unknown): ServiceError | undefined {
  if (!isObject(content) || !isObject(content["error"])) return undefined;
  const { code, message } = content["error"];
  return new ServiceError(String(code), String(message));
}

function asReading(content: unknown): Reading {
  const isReading =
    isObject(content) &&
    typeof content["text"] === "string" &&
    typeof content["confidence"] === "number" &&
    typeof content["reading_id"] === "string";
  if (isReading) return content as unknown as Reading;
  throw new ServiceError("wrong_answer", "the answer is no reading; is it legible that answers?");
}

function asDocument(content: unknown): Document {
  const pages = isObject(content) && typeof content["bundle"] === "string" ? content["pages"] : undefined;
  if (Array.isArray(pages) && pages.every((page) => isObject(page) && Array.isArray(page["blocks"]))) {
    return content as unknown as Document;
  }
  throw new ServiceError("wrong_answer", "the answer is no document; is it legible that answers?");
}
