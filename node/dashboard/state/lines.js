/** JSON lines as they arrive. */

/** Longest line in characters: `asked` holds a conversation of 64 KiB, each byte escaped as `\u0000` at worst. */
export const LINE_CHARS_MAX = 1 << 20;

/**
 * Read the JSON values of a reply's body, one a line, until it ends.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<any>}
 * @throws {RangeError} if a line is longer than LINE_CHARS_MAX
 * @throws {SyntaxError} if a line is no JSON
 */
export async function* readLines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const lines = (rest + piece.value).split("\n");
      rest = lines.pop();
      if (rest.length > LINE_CHARS_MAX) throw new RangeError("a line is too long");
      for (const line of lines) if (line.trim()) yield JSON.parse(line);
    }
    if (rest.trim()) yield JSON.parse(rest);
  } finally {
    // The stream's own failure has been raised by `read`.
    await reader.cancel().catch(() => {});
  }
}
