/** What is held and what works: positions and orders of the chosen account, each with its way out. */

import { signal } from "@preact/signals";
import { ask } from "./ask.js";
import * as desk from "./desk.js";
import { price as priceText, signedUsd, tone } from "./format.js";
import { html } from "./html.js";
import { ProtectionLight } from "./protection.js";

/** @typedef {import("./rows.js").Position} Position */
/** @typedef {import("./rows.js").Order} Order */
/** @typedef {import("./rows.js").Leg} Leg */

/** What the last button here came to, if not to what was asked. */
const failed = signal("");

export function Positions() {
  const rows = [...desk.positions.value.values()].filter((row) => row.accountId === desk.chosenAccount.value);
  return html`
    <section class="panel positions" aria-label="Positions">
      <h2>Positions</h2>
      ${failed.value && html`<p class="bad" role="alert">✕ ${failed.value}</p>`}
      ${rows.length === 0
        ? html`<p class="quiet">Flat.</p>`
        : html`<ul>${rows.map((row) => html`<${PositionLine} key=${row.positionId} row=${row} />`)}</ul>`}
    </section>
  `;
}

function PositionLine(/** @type {{row: Position}} */ { row }) {
  const instrument = desk.instruments.value.get(row.instrument);
  const close = () => act("/api/close-position", { accountId: row.accountId, instrument: row.contractId });
  return html`
    <li>
      <b class="held ${row.side === "LONG" ? "buy" : "sell"}">
        ${row.side === "LONG" ? "▲" : "▼"} ${row.side} ${row.quantity} ${row.instrument}
      </b>
      <span class="quiet">at ${priceText(row.averagePrice, instrument)}</span>
      <b class="live big ${tone(row.netPnL)}" title="open P&L less the fees of entry and exit">${signedUsd(row.netPnL)}</b>
      <button type="button" onClick=${close}>Close ${row.quantity} ${row.instrument}</button>
      <p>
        <${ProtectionLight} told=${row.protection} quantity=${row.quantity} />
        <span class="sell">${legsText("stop", row.stops, row.quantity, instrument)}</span>
        ${row.stopMoves.map((word) => html`<span class="quiet">stop ${word}</span>`)}
        <span class="good">${legsText("target", row.targets, row.quantity, instrument)}</span>
      </p>
    </li>
  `;
}

export function Orders() {
  const rows = [...desk.orders.value.values()].filter(
    (row) => row.accountId === desk.chosenAccount.value && desk.isWorking(row),
  );
  return html`
    <section class="panel orders" aria-label="Working orders">
      <h2>Working orders</h2>
      ${rows.length === 0
        ? html`<p class="quiet">None.</p>`
        : html`<ul>${rows.toReversed().map((row) => html`<${OrderLine} key=${row.orderId} row=${row} />`)}</ul>`}
    </section>
  `;
}

function OrderLine(/** @type {{row: Order}} */ { row }) {
  const instrument = desk.instruments.value.get(row.instrument);
  const cancel = () => act("/api/cancel-order", { accountId: row.accountId, orderId: row.orderId });
  return html`
    <li title=${row.reason}>
      <b class=${row.side === "BUY" ? "buy" : "sell"}>
        ${row.side === "BUY" ? "▲" : "▼"} ${row.side} ${row.quantity} ${row.instrument}
      </b>
      <span>${row.orderType.toLowerCase()} <b>${priceText(row.limitPrice ?? row.stopPrice, instrument)}</b></span>
      <span class="quiet">
        ${row.status.replace("_", " ").toLowerCase()}${row.filledQuantity ? `, ${row.filledQuantity} filled` : ""}
      </span>
      ${row.source === "EXTERNAL" && html`<b class="quiet">◆ EXTERNAL</b>`}
      ${row.passed && html`<b class="near" title="no limit was asked">▶ PASSED ${row.source}</b>`}
      ${desk.isOverridden(row) &&
      html`<b class="near" title=${row.breaches.map((breach) => breach.message).join("\n")}>
        ▲ OVERRIDDEN ${row.breaches.map((breach) => breach.code).join(", ")}
      </b>`}
      ${row.targets.length > 0 &&
      html`<span class="good">${legsText("target", row.targets, row.filledQuantity, instrument)}</span>`}
      <button type="button" class="end" onClick=${cancel}>Cancel</button>
    </li>
  `;
}

/**
 * The legs of one kind, with how many leave at each where that is not simply all of `quantity`.
 * @param {string} name
 * @param {Leg[]} legs
 * @param {number} quantity
 * @param {import("./rows.js").Instrument | undefined} instrument
 */
function legsText(name, legs, quantity, instrument) {
  const [first] = legs;
  if (!first) return `${name} none`;
  if (legs.length === 1 && first.quantity === quantity) return `${name} ${priceText(first.price, instrument)}`;
  const each = legs.map((leg) => `${leg.quantity} at ${priceText(leg.price, instrument)}`);
  return `${name}${legs.length > 1 ? "s" : ""} ${each.join(", ")}`;
}

async function act(/** @type {string} */ path, /** @type {object} */ body) {
  failed.value = "";
  const answer = await ask(path, body);
  if (!answer.success) failed.value = answer.error ?? "";
}
