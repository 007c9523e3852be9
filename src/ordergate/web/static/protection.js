/**
 * Whether a position is protected, as a light with a clock: since when it is so, by the gate's own time.
 *
 * Invariant: the colour and the pulse only repeat what the shape and the word say.
 */

import * as desk from "./desk.js";
import { elapsed } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./rows.js").Protection} Protection */

const LIGHTS = /** @type {Record<string, {shape: string, word: string, tone: string}>} */ ({
  protected: { shape: "✓", word: "protected", tone: "good" },
  protecting: { shape: "◔", word: "protecting", tone: "near" },
  unprotected: { shape: "✕", word: "UNPROTECTED", tone: "bad" },
  "by choice": { shape: "▲", word: "UNPROTECTED by choice", tone: "near" },
});
const UNKNOWN = { shape: "?", word: "protection not known", tone: "near" };

/** @param {{told: Protection | null, quantity: number}} props `quantity`: of the position */
export function ProtectionLight({ told, quantity }) {
  const { shape, word, tone } = (told && LIGHTS[told.state]) || UNKNOWN;
  return html`
    <span class="light live ${tone} ${told?.state === "unprotected" ? "pulse" : ""}">
      <i aria-hidden="true"><span>${shape}</span></i> <b role="status">${word}</b>
      ${told && html` <${Since} instant=${told.since} />`}
      ${told && told.uncovered > 0 && html` <span>${told.uncovered} of ${quantity}${why(told)}</span>`}
    </span>
  `;
}

function why(/** @type {Protection} */ { state, cause }) {
  return cause && state !== "by choice" ? `: ${cause}` : "";
}

/** How long it has been so; it stands still while the page is not live. */
function Since(/** @type {{instant: string}} */ { instant }) {
  const now = desk.status.value === "live" ? desk.gateMs.value : desk.gateMs.peek();
  return html`<time class="clock" datetime=${instant} title="since ${instant}">${elapsed(now - Date.parse(instant))}</time>`;
}
