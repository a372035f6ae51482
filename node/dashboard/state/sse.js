/** Server-sent events (HTML Living Standard, 9.2.6) read from the bytes of a reply. */

/** Longest event, in characters: the beginning of a round holds 64 KiB of text, each of them escaped at worst. */
export const EVENT_CHARS_MAX = 1 << 20;

/**
 * Read the events of a stream until it ends or breaks, or until an event is longer than EVENT_CHARS_MAX. What has no
 * data, such as a comment, is yielded as well, with `data` empty: it is a sign of life.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<{id: string, data: string}>}
 */
export async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    while (rest.length <= EVENT_CHARS_MAX) {
      const piece = await reader.read().catch(() => ({ done: true }));
      if (piece.done) return;
      rest += piece.value;
      const blocks = rest.replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) yield eventOf(block);
    }
  } finally {
    // A stream that broke cannot be cancelled.
    await reader.cancel().catch(() => {});
  }
}

function eventOf(block) {
  const event = { id: "", data: "" };
  const lines = block.split("\n");
  for (const name of ["id", "data"]) {
    const values = lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1));
    event[name] = values.map((value) => value.replace(/^ /, "")).join("\n");
  }
  return event;
}
