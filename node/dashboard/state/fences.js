/** An answer's text in pieces: prose, and code between fences of backticks or tildes (CommonMark 4.5). Pure. */

const OPENING = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\n`]*)$/;

/** Longest name of a language that is shown, in characters. */
const LANGUAGE_CHARS_MAX = 20;

/**
 * Cut a text into its pieces, in their order. A fence that nobody closes holds the rest: models are cut off.
 * @param {string} text
 * @returns {{kind: "prose" | "code", text: string, language: string}[]}
 */
export function piecesOf(text) {
  const pieces = [];
  let lines = [];
  let fence = null;
  const end = (kind, language) => {
    const found = lines.join("\n");
    const text = kind === "code" ? found : trimmed(found);
    if (kind === "code" || text) pieces.push({ kind, text, language });
    lines = [];
  };
  for (const line of text.replaceAll("\r\n", "\n").split("\n")) {
    if (fence && closes(line, fence.mark)) {
      end("code", fence.language);
      fence = null;
    } else if (!fence && OPENING.test(line)) {
      end("prose", "");
      const [, mark, info] = OPENING.exec(line);
      fence = { mark, language: (info.trim().split(/[\s,{]/)[0] ?? "").toLowerCase().slice(0, LANGUAGE_CHARS_MAX) };
    } else {
      lines.push(line);
    }
  }
  end(fence ? "code" : "prose", fence?.language ?? "");
  return pieces;
}

function closes(line, mark) {
  const told = line.trim();
  return told.length >= mark.length && told === mark[0].repeat(told.length);
}

/** Without empty lines at both ends; the first line keeps its indentation. */
function trimmed(text) {
  return text.replace(/^(?:[ \t]*\n)+/, "").trimEnd();
}
