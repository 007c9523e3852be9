/**
 * What this desk holds orders to, and the switches of that: the badge, the banners, the pause, interception.
 *
 * Invariants:
 * 1. Whatever lets an order reach the broker that was not checked, or was denied, stands in a red banner all the time.
 * 2. What takes new risk away is one press; what lets more through is two, and the second says what it does.
 */

import { signal } from "@preact/signals";
import { ask } from "./ask.js";
import * as desk from "./desk.js";
import { clock } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./rows.js").Desk} Desk */
/** @typedef {import("./rows.js").Answer} Answer */

// What each mode means, in the words of the person who looks at it. The key is the server's.
const MODES = /** @type {Record<string, {shape: string, meaning: string}>} */ ({
  SIM: { shape: "◇", meaning: "Orders go to the simulated exchange. Nothing leaves this machine." },
  LIVE: { shape: "●", meaning: "Orders that pass every limit go to the broker." },
  SHADOW: { shape: "◌", meaning: "Orders are judged, and done on paper. Nothing reaches the broker." },
  "PASS-THROUGH": { shape: "▶", meaning: "Orders are sent without asking the limits." },
  ADVISORY: { shape: "▲", meaning: "Orders that break limits are sent all the same." },
});
const SIMULATED = "sim";

/** Whether switching interception off stands to be confirmed, and what came of the last switch that was pressed. */
const confirming = signal(false);
const told = signal("");

export function Badge(/** @type {{mode: string}} */ { mode }) {
  const known = MODES[mode];
  return html`<span class="badge ${mode.toLowerCase()}" title=${known?.meaning ?? ""}>
    <i aria-hidden="true">${known?.shape ?? "?"}</i> ${mode}
  </span>`;
}

/** The mode, and beside any other than its own that this is the simulated exchange. */
export function Badges(/** @type {{row: Desk}} */ { row }) {
  const isUnsaid = row.venue === SIMULATED && row.mode !== "SIM";
  return html`<${Badge} mode=${row.mode} />${isUnsaid && html`<${Badge} mode="SIM" />`}`;
}

/** What everybody who looks at this page has to know before anything else. */
export function Banners(/** @type {{row: Desk}} */ { row }) {
  const { shadow, enforcing, unasked } = row.modes;
  return html`
    ${row.trouble && html`<p class="banner danger" role="alert"><b>✕ THE GATE IS IN TROUBLE</b>: ${row.trouble}.</p>`}
    ${!enforcing &&
    html`<p class="banner danger" role="alert"><b>✕ LIMITS ARE NOT ENFORCED</b> (${row.mode}): ${unasked}.</p>`}
    ${shadow &&
    html`<p class="banner paper" role="status">
      <b>◌ ON PAPER</b>: nothing reaches the broker.${unasked && ` On paper too, ${unasked}.`}
    </p>`}
    ${row.paused && html`<${Paused} paused=${row.paused} />`}
  `;
}

function Paused(/** @type {{paused: import("./rows.js").Paused}} */ { paused }) {
  return html`
    <div class="banner paused">
      <p role="status">
        <b>‖ PAUSED</b> ${paused.by} at <time datetime=${paused.since}>${clock(paused.since)}</time>${
          paused.reason && ` (${paused.reason})`
        }: no new risk in any account. What closes passes.
      </p>
      <button type="button" onClick=${() => press("/api/resume", {})}>Resume</button>
      ${told.value && html`<span role="alert">${told.value}</span>`}
    </div>
  `;
}

/** The switches, below the limits. While paused the way back is in the banner. */
export function Switches() {
  const row = desk.desk.value;
  if (!row) return null;
  return html`
    <section class="panel switches" aria-label="The gate">
      <h2>The gate</h2>
      ${row.paused === null &&
      html`<p><button type="button" onClick=${() => press("/api/pause", {})}>Pause new risk</button></p>`}
      <${Interception} modes=${row.modes} />
      ${row.paused === null && told.value && html`<p class="bad" role="alert">${told.value}</p>`}
    </section>
  `;
}

function Interception(/** @type {{modes: import("./rows.js").Modes}} */ { modes }) {
  const flip = (/** @type {boolean} */ on) => press("/api/interception", { on });
  if (!modes.interceptOrders) {
    return html`<p>
      <b class="bad">✕ Interception is off</b>
      <button type="button" onClick=${() => flip(true)}>Switch interception on</button>
    </p>`;
  }
  if (!confirming.value) {
    return html`<p>
      <span class="good">✓ Interception is on</span>
      <button type="button" onClick=${() => (confirming.value = true)}>Switch it off …</button>
    </p>`;
  }
  return html`
    <div role="group" aria-label="Confirm: interception off">
      <p>
        From then on orders of every account are ${modes.shadow ? "done on paper" : "sent"} without asking the limits:
        not their size, not the day's loss. A pause, a lockout and a halt still hold.
      </p>
      <button type="button" ref=${focus} onClick=${() => (confirming.value = false)}>Keep the limits</button>
      <button type="button" class="danger" onClick=${() => flip(false)}>Switch interception off</button>
    </div>
  `;
}

/** Whoever came by the keyboard goes on where the question stands, at the answer that changes nothing. */
function focus(/** @type {HTMLElement | null} */ element) {
  element?.focus();
}

async function press(/** @type {string} */ path, /** @type {object} */ body) {
  confirming.value = false;
  const answer = await ask(path, body);
  told.value = answer.success ? "" : `✕ nothing was switched: ${answer.error}`;
}
