/**
 * What the orders of the ticket would do, asked of the server while they are being written.
 *
 * Invariants:
 * 1. It is asked at most twice a second, and only while there is something that could be sent.
 * 2. What is shown is of the orders that the buttons say, or nothing is.
 */

import { computed, effect, signal } from "@preact/signals";
import { ask } from "./ask.js";
import * as desk from "./desk.js";
import { faultIn } from "./fault.js";
import { price as priceText, usd } from "./format.js";
import { html } from "./html.js";
import { whereLost } from "./presets.js";

/** @typedef {import("./rows.js").Preview} Preview */
/** @typedef {import("./rows.js").Nearest} Nearest */
/** @typedef {import("./rows.js").Answer} Answer */
/** @typedef {{enabled?: boolean} | undefined} Leg */
/** @typedef {{stopLoss?: Leg, bracket?: {stop: Leg}, preset?: string}} Order what matters here of its body */
/** @typedef {{BUY: Order, SELL: Order}} Orders */
/** @typedef {readonly (Preview | Answer)[]} Answers of a buy and of a sell; empty while there are none of these orders */

const GAP_MS = 500;
const SIDES = /** @type {const} */ (["BUY", "SELL"]);
// The other limits are dollars.
const COUNTED = new Set(["MAX_ORDER_SIZE", "MAX_POSITION_SIZE", "MAX_ACCOUNT_POSITION", "MAX_OPEN_ORDERS"]);

/** The newest answers, and the orders they are of. */
const told = signal(/** @type {{of: string, answers: (Preview | Answer)[]} | null} */ (null));

/**
 * Ask whenever the orders, the account or what the desk holds them to change. What is answered is of the orders as they are.
 * @param {import("@preact/signals").ReadonlySignal<Orders | null>} orders null = nothing could be sent
 * @returns {import("@preact/signals").ReadonlySignal<Answers>}
 */
export function keepAsking(orders) {
  let timer = 0;
  let askedAt = -GAP_MS;
  let rounds = 0;

  async function round() {
    timer = 0;
    const wanted = orders.peek();
    if (wanted === null) return;
    askedAt = performance.now();
    const number = ++rounds;
    const answers = await Promise.all(SIDES.map((side) => ask("/api/preview", wanted[side])));
    if (number === rounds) told.value = { of: JSON.stringify(wanted), answers };
  }

  effect(() => {
    const wanted = orders.value;
    desk.account.value;
    desk.desk.value;
    desk.isQuoted.value;
    if (wanted !== null && timer === 0) timer = setTimeout(round, Math.max(0, askedAt + GAP_MS - performance.now()));
  });
  return computed(() => (told.value?.of === JSON.stringify(orders.value) ? told.value.answers : []));
}

/** @param {{orders: Orders, answers: Answers, use: (nearest: Nearest) => void}} props */
export function Previews({ orders, answers, use }) {
  return html`
    <div class="previews">
      ${SIDES.map(
        (side, index) => html`
          <div role="group" aria-label="What a ${side.toLowerCase()} would do">
            <${Outlook} order=${orders[side]} answer=${answers[index]} use=${use} />
          </div>
        `,
      )}
    </div>
  `;
}

/** @param {{order: Order, answer: Preview | Answer | undefined, use: (nearest: Nearest) => void}} props */
function Outlook({ order, answer, use }) {
  if (!answer) return null;
  if (!("decision" in answer)) {
    return html`<p class="bad">✕ ${faultIn([answer]) ? "no order: see what is marked" : answer.error}</p>`;
  }
  if (answer.decision === "overridden") {
    return html`
      <p class="near" title=${answer.breaches.map((breach) => breach.message).join("\n")}>
        ▲ breaks ${answer.breaches.map((breach) => breach.code).join(", ")}; would be sent all the same
      </p>
      <${Passing} order=${order} seen=${answer} />
    `;
  }
  if (answer.decision !== "denied") {
    return html`
      ${answer.decision === "passed" && html`<p class="near">▲ sent without asking the limits</p>`}
      <${Passing} order=${order} seen=${answer} />
    `;
  }
  const [first, ...more] = answer.breaches;
  const nearest = answer.nearest;
  return html`
    <p class="bad" title=${more.map((breach) => breach.message).join("\n")}>
      ✕ ${first?.message}${more.length > 0 && html` <span class="quiet">and ${more.length} more</span>`}
    </p>
    ${nearest && html`<button type="button" onClick=${() => use(nearest)}>Use ${words(nearest)}</button>`}
  `;
}

/** @param {{order: Order, seen: Preview}} props */
function Passing({ order, seen }) {
  const loss = seen.lossAtStop;
  const stop = order.bracket?.stop ?? order.stopLoss;
  const where = order.preset ? whereLost() : stop?.enabled === false ? "in a stress move: no stop" : "at stop";
  const left = seen.bindsNext === null ? null : seen.room[seen.bindsNext];
  return html`
    <p>${loss === 0 ? "✓ only closes" : html`${seen.decision === "approved" ? "✓ " : ""}<b>${loss === null ? "–" : `−${usd(loss)}`}</b> ${where}`}</p>
    ${seen.bindsNext !== null &&
    typeof left === "number" &&
    left >= 0 &&
    html`<p class="quiet" title="The limit that would bind next">
      ${COUNTED.has(seen.bindsNext) ? left : usd(left)} left of ${limit(seen.bindsNext)}
    </p>`}
  `;
}

function words(/** @type {Nearest} */ { quantity, limitPrice, stopPrice }) {
  const level = limitPrice ?? stopPrice;
  return level === null ? quantity : `${quantity} at ${priceText(level, desk.instrument.value ?? undefined)}`;
}

/** A limit by its code, for people: MAX_POSITION_SIZE is the position size. */
function limit(/** @type {string} */ code) {
  return code.toLowerCase().replaceAll("_", " ").replace(/^max |^excessive | limit$/g, "");
}
