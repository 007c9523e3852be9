/** What the page asks of the server. A server that does not answer is an answer too: `code` NO_ANSWER. */

/** @typedef {import("./rows.js").Answer} Answer */

// The server decides within 2 s, exits included; what takes longer has not arrived.
const WAIT_MS = 5_000;

/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<Answer>}
 */
export async function ask(path, body) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(WAIT_MS),
    });
    return /** @type {Answer} */ (await response.json());
  } catch {
    return { success: false, code: "NO_ANSWER", error: "the server does not answer: it is not known what became of it" };
  }
}

/** Whether the answer leaves open what became of the request. */
export function isOpen(/** @type {Answer} */ answer) {
  return answer.code === "NO_ANSWER" || answer.code === "UNDECIDED";
}
