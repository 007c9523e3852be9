/** What is held and what works: positions and orders of the chosen account, each with its way out. */

import { signal } from "@preact/signals";
import { ask } from "./ask.js";
import * as desk from "./desk.js";
import { price as priceText, signedUsd, tone } from "./format.js";
import { html } from "./html.js";

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
        : html`<div class="scroll"><table>
            <thead>
              <tr>
                <th>Instrument</th><th>Side</th><th class="n">Average</th><th class="n">Now</th>
                <th class="n">P&L, net</th><th class="n">Stop</th><th class="n">Target</th><th>Protection</th><th></th>
              </tr>
            </thead>
            <tbody>${rows.map((row) => html`<${PositionLine} key=${row.positionId} row=${row} />`)}</tbody>
          </table></div>`}
    </section>
  `;
}

function PositionLine(/** @type {{row: Position}} */ { row }) {
  const instrument = desk.instruments.value.get(row.instrument);
  const at = (/** @type {Leg | null} */ leg) => (leg ? priceText(leg.price, instrument) : "none");
  return html`
    <tr>
      <td><b>${row.instrument}</b></td>
      <td class=${row.side === "LONG" ? "buy" : "sell"}>${row.side === "LONG" ? "▲" : "▼"} ${row.side} ${row.quantity}</td>
      <td class="n">${priceText(row.averagePrice, instrument)}</td>
      <td class="n live">${priceText(row.currentPrice, instrument)}</td>
      <td class="n live big ${tone(row.netPnL)}">${signedUsd(row.netPnL)}</td>
      <td class="n">${at(row.stopLoss)}</td>
      <td class="n">${at(row.takeProfit)}</td>
      <td class=${row.protected ? "good" : "bad"}>${row.protected ? "✓ protected" : "✕ UNPROTECTED"}</td>
      <td>
        <button type="button" onClick=${() => act("/api/close-position", { accountId: row.accountId, instrument: row.contractId })}>
          Close ${row.quantity}
        </button>
      </td>
    </tr>
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
        : html`<div class="scroll"><table>
            <thead>
              <tr><th>Order</th><th>Type</th><th class="n">Price</th><th class="n">Filled</th><th>Status</th><th></th></tr>
            </thead>
            <tbody>${rows.toReversed().map((row) => html`<${OrderLine} key=${row.orderId} row=${row} />`)}</tbody>
          </table></div>`}
    </section>
  `;
}

function OrderLine(/** @type {{row: Order}} */ { row }) {
  const instrument = desk.instruments.value.get(row.instrument);
  return html`
    <tr title=${row.reason}>
      <td class=${row.side === "BUY" ? "buy" : "sell"}>
        ${row.side === "BUY" ? "▲" : "▼"} ${row.side} ${row.quantity} <b>${row.instrument}</b>
      </td>
      <td>${row.orderType.toLowerCase()}${row.source === "EXTERNAL" ? ", EXTERNAL" : ""}</td>
      <td class="n">${priceText(row.limitPrice ?? row.stopPrice, instrument)}</td>
      <td class="n">${row.filledQuantity} of ${row.quantity}</td>
      <td>${row.status.replace("_", " ").toLowerCase()}</td>
      <td>
        <button type="button" onClick=${() => act("/api/cancel-order", { accountId: row.accountId, orderId: row.orderId })}>
          Cancel
        </button>
      </td>
    </tr>
  `;
}

async function act(/** @type {string} */ path, /** @type {object} */ body) {
  failed.value = "";
  const answer = await ask(path, body);
  if (!answer.success) failed.value = answer.error ?? "";
}
