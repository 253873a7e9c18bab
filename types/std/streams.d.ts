// Declarations of the @std/streams functions that are used here.

export class TextLineStream extends TransformStream<string, string> {
  constructor(options?: { allowCR?: boolean });
}
export class TextDelimiterStream extends TransformStream<string, string> {
  constructor(
    delimiter: string,
    options?: { disposition?: "suffix" | "prefix" | "discard" },
  );
}
export function concatReadableStreams<T>(
  ...streams: ReadableStream<T>[]
): ReadableStream<T>;
export function mergeReadableStreams<T>(
  ...streams: ReadableStream<T>[]
): ReadableStream<T>;
export function toArrayBuffer(
  stream: ReadableStream<Uint8Array>,
): Promise<ArrayBuffer>;
export function toBytes(
  stream: ReadableStream<Uint8Array>,
): Promise<Uint8Array>;
export function toText(stream: ReadableStream): Promise<string>;
