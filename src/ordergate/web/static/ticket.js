/**
 * The order ticket.
 *
 * Invariants:
 * 1. While the page is not live, nothing can be sent from here.
 * 2. What an order says about itself on the button is what is sent.
 */

import { batch, computed, effect, signal } from "@preact/signals";
import { ask, isOpen } from "./ask.js";
import { Bracket, bracketBody, clear, hasTargets, isUsed, unsaid } from "./bracket.js";
import * as desk from "./desk.js";
import { FaultAt, faultIn, marked } from "./fault.js";
import { decimals, isNumber, onTick, price as priceText, usd } from "./format.js";
import { html } from "./html.js";
import { intend, settle } from "./intent.js";
import { preset, PresetChooser } from "./presets.js";
import { keepAsking, Previews } from "./preview.js";

/** @typedef {import("./rows.js").Answer} Answer */
/** @typedef {"MARKET" | "LIMIT" | "STOP"} OrderType */

const TYPES = /** @type {const} */ (["MARKET", "LIMIT", "STOP"]);
const QUANTITIES = [1, 2, 3, 5, 10];

const orderType = signal(/** @type {OrderType} */ ("MARKET"));
const quantity = signal("1");
const levelText = signal("");
const stop = { enabled: signal(true), points: signal("") };
const target = { enabled: signal(true), points: signal("") };
const sending = signal(false);
/** The last order that left from here: the words of its button, and its answer. */
const last = signal(/** @type {{words: string, orderId: string, answer: Answer} | null} */ (null));
/** The row of that order, which says what became of it whatever the answer was. */
const lastRow = computed(() => {
  const orderId = last.value?.orderId;
  return [...desk.orders.value.values()].findLast((row) => row.orderId === orderId) ?? null;
});
/** Whether it is not known what became of it. */
const isUnknown = computed(() => last.value !== null && isOpen(last.value.answer) && lastRow.value === null);

// A level belongs to an instrument and a type: it is never carried over to another market.
effect(() => {
  desk.chosenSymbol.value;
  orderType.value;
  batch(() => {
    levelText.value = "";
    stop.points.value = "";
    target.points.value = "";
    clear();
  });
});

// Known by its answer or by its row: to ask for the same again is to ask for another one.
effect(() => {
  if (last.value !== null && !isUnknown.value) void settle(last.value.orderId);
});

/** What is missing before anything can be sent; empty when nothing is. */
const obstacle = computed(() => {
  if (desk.status.value !== "live") return "not connected";
  if (!desk.account.value || !desk.instrument.value) return "no account or instrument";
  if (!/^[1-9]\d{0,3}$/.test(quantity.value)) return "the quantity must be a whole number from 1";
  if (orderType.value !== "MARKET" && !isNumber(levelText.value)) return `say the ${orderType.value.toLowerCase()} price`;
  if (preset.value !== "") return "";
  for (const [name, leg] of /** @type {const} */ ([["stop", stop], ["target", target]])) {
    const points = leg.points.value;
    if (leg.enabled.value && points !== "" && !(isNumber(points) && Number(points) > 0)) {
      return `the ${name} must be a number of points above 0`;
    }
  }
  return unsaid.value?.text ?? "";
});

/** @param {{enabled: import("@preact/signals").Signal<boolean>, points: import("@preact/signals").Signal<string>}} leg */
function legBody(leg) {
  if (!leg.enabled.value) return { enabled: false };
  return leg.points.value === "" ? undefined : { points: Number(leg.points.value) };
}

/** What the button of a side sends. */
function bodyOf(/** @type {"BUY" | "SELL"} */ side) {
  const level = Number(levelText.value);
  return {
    accountId: desk.chosenAccount.value,
    instrument: desk.chosenSymbol.value,
    side,
    quantity: Number(quantity.value),
    orderType: orderType.value,
    limitPrice: orderType.value === "LIMIT" ? level : undefined,
    stopPrice: orderType.value === "STOP" ? level : undefined,
    ...protection(),
  };
}

/** What is said of stop and targets: by a name, as a bracket, or in the documented fields. */
function protection() {
  if (preset.value !== "") return { preset: preset.value };
  const [stopLoss, takeProfit] = [legBody(stop), legBody(target)];
  return isUsed.value ? { bracket: bracketBody(stopLoss, takeProfit) } : { stopLoss, takeProfit };
}

const orders = computed(() => (obstacle.value === "" ? { BUY: bodyOf("BUY"), SELL: bodyOf("SELL") } : null));
const outlook = keepAsking(orders);
const fault = computed(() => (preset.value === "" ? unsaid.value : null) ?? faultIn(outlook.value));

function use(/** @type {import("./rows.js").Nearest} */ { quantity: contracts, limitPrice, stopPrice }) {
  const level = limitPrice ?? stopPrice;
  batch(() => {
    quantity.value = String(contracts);
    if (level !== null) levelText.value = String(level);
  });
}

async function send(/** @type {"BUY" | "SELL"} */ side, /** @type {string} */ words) {
  if (obstacle.value !== "" || sending.value) return;
  const body = bodyOf(side);
  const clickedMs = Date.now();
  sending.value = true;
  try {
    const orderId = await intend(body);
    // The gate has to know of a wait here: for another tab that sleeps, or because this one did.
    const waitedMs = Math.max(0, Date.now() - clickedMs);
    last.value = { words, orderId, answer: await ask("/api/order", { ...body, orderId, waitedMs }) };
  } finally {
    sending.value = false;
  }
}

export function Ticket() {
  const instrument = desk.instrument.value;
  const price = desk.price.value;
  const isLive = desk.status.value === "live";
  return html`
    <section class="panel ticket" aria-label="Order ticket" data-stale=${!isLive}>
      <div class="row">
        <label class="grow">
          <span>Instrument</span>
          <select
            id="instrument"
            value=${desk.chosenSymbol.value}
            onChange=${(/** @type {any} */ event) => (desk.chosenSymbol.value = event.target.value)}
          >
            ${[...desk.instruments.value.values()]
              .filter((row) => row.allowed)
              .map((row) => html`<option value=${row.symbol}>${row.symbol} · ${row.name}</option>`)}
          </select>
        </label>
      </div>
      <fieldset class="choice">
        <legend>Type</legend>
        ${TYPES.map(
          (type) => html`
            <label>
              <input
                type="radio"
                name="type"
                value=${type}
                checked=${orderType.value === type}
                onChange=${() => (orderType.value = type)}
              />
              <span>${titled(type)}</span>
            </label>
          `,
        )}
      </fieldset>
      <div class="row">
        <label class="grow">
          <span>Contracts</span>
          <input id="quantity" inputmode="numeric" autocomplete="off" value=${quantity.value}
            onInput=${(/** @type {any} */ event) => (quantity.value = event.target.value.trim())} />
        </label>
        <div class="quick" role="group" aria-label="Contracts, quick choice">
          ${QUANTITIES.map(
            (count) => html`<button type="button" aria-pressed=${quantity.value === String(count)}
              onClick=${() => (quantity.value = String(count))}>${count}</button>`,
          )}
        </div>
      </div>
      ${orderType.value !== "MARKET" &&
      html`<label>
        <span>${titled(orderType.value)} price</span>
        <span class="level">
          <input id="level" inputmode="decimal" autocomplete="off" value=${levelText.value}
            placeholder=${priceText(price?.last, instrument ?? undefined)}
            onInput=${(/** @type {any} */ event) => (levelText.value = event.target.value.trim())} />
          <button type="button" aria-label="one tick down" onClick=${() => nudge(-1)}>−</button>
          <button type="button" aria-label="one tick up" onClick=${() => nudge(1)}>+</button>
        </span>
      </label>`}
      <${PresetChooser} fault=${fault.value} />
      ${preset.value === "" && html`<${Legs} />`}
      <div class="sides">
        <${Side} side="BUY" /><${Side} side="SELL" />
      </div>
      <p class="obstacle" role="status">${obstacle.value}</p>
      ${orders.value && html`<${Previews} orders=${orders.value} answers=${outlook.value} use=${use} />`}
      <${Outcome} />
    </section>
  `;
}

/** What the order says of its own bracket. */
function Legs() {
  const instrument = desk.instrument.value;
  return html`
    <${LegField} name="Stop loss" id="stop" leg=${stop} usual=${instrument?.defaultStopPoints}
      fields=${["stopLoss", "bracket.stop"]} />
    ${hasTargets.value
      ? html`<p class="leg"><span>Take profit</span> <b class="quiet">in the bracket</b></p>`
      : html`<${LegField} name="Take profit" id="target" leg=${target} usual=${usualTarget()}
          fields=${["takeProfit", "bracket.targets"]} />`}
    <${Bracket} fault=${fault.value} contracts=${Number(quantity.value) || 0} pointValue=${instrument?.pointValue}
      tickSize=${instrument?.tickSize ?? 1} />
  `;
}

function Side(/** @type {{side: "BUY" | "SELL"}} */ { side }) {
  const instrument = desk.instrument.value ?? undefined;
  const price = desk.price.value;
  const touch = side === "BUY" ? price?.ask : price?.bid;
  const level = isNumber(levelText.value) ? Number(levelText.value) : null;
  const at = orderType.value === "MARKET" ? touch : level;
  const words = `${titled(side)} ${quantity.value} ${desk.chosenSymbol.value}`;
  const how = `${orderType.value.toLowerCase()} ${priceText(at, instrument)}`;
  return html`
    <button
      type="button"
      class=${side.toLowerCase()}
      disabled=${obstacle.value !== ""}
      aria-busy=${sending.value}
      onClick=${() => send(side, `${words} ${orderType.value.toLowerCase()}`)}
    >
      <b>${words}</b><small>${how}</small>
    </button>
  `;
}

/** @param {{name: string, id: string, leg: typeof stop, usual: number | undefined, fields: string[]}} props */
function LegField({ name, id, leg, usual, fields }) {
  const instrument = desk.instrument.value;
  const points = leg.points.value === "" ? usual : Number(leg.points.value);
  const contracts = Number(quantity.value) || 0;
  const worth = instrument && points ? points * instrument.pointValue * contracts : null;
  return html`
    <div class="leg">
      <label class="switch">
        <input type="checkbox" checked=${leg.enabled.value}
          onChange=${(/** @type {any} */ event) => (leg.enabled.value = event.target.checked)} />
        <span>${name}</span>
      </label>
      ${leg.enabled.value
        ? html`<label class="points">
              <input id=${id} inputmode="decimal" autocomplete="off" aria-label="${name} in points" value=${leg.points.value}
                placeholder=${usual ?? ""} ...${marked(fault.value, ...fields)}
                onInput=${(/** @type {any} */ event) => (leg.points.value = event.target.value.trim())} />
              <span>pts</span>
            </label>
            <output>${worth === null || Number.isNaN(worth) ? "" : usd(worth)}</output>`
        : html`<b class="off">none</b>`}
      <${FaultAt} fault=${fault.value} fields=${fields} />
    </div>
  `;
}

/** What became of the last order: in the words of its own row once there is one. */
function Outcome() {
  if (last.value === null) return html`<div class="outcome" role="status" aria-live="polite"></div>`;
  const { words, answer } = last.value;
  const row = lastRow.value;
  const breaches = row?.breaches ?? answer.breaches ?? [];
  const state = row?.status ?? (answer.success ? "APPROVED" : breaches.length ? "DENIED" : "NOT AN ORDER");
  const isBad = ["DENIED", "REJECTED", "NOT AN ORDER"].includes(state);
  const kind = isUnknown.value ? "open" : isBad ? "bad" : row && desk.isOverridden(row) ? "overridden" : "good";
  const plain = state.replace("_", " ");
  const verdict = {
    open: "? UNKNOWN",
    bad: `✕ ${state}`,
    overridden: `▲ OVERRIDDEN, ${plain}`,
    good: `✓ ${plain}`,
  }[kind];
  const error = row ? row.reason : breaches.length ? "" : answer.error;
  return html`
    <div class="outcome ${kind}" role="status" aria-live="polite">
      <p><b>${verdict}</b> ${words}</p>
      ${kind === "overridden" && html`<p>Sent although it breaks:</p>`}
      ${error && html`<p>${error}</p>`}
      ${isUnknown.value && html`<p>Pressing again asks for the same order, never for a second one.</p>`}
      ${breaches.length > 0 &&
      html`<ul>
        ${breaches.map((breach) => html`<li>${breach.message} <code>${breach.code}</code></li>`)}
      </ul>`}
    </div>
  `;
}

/** Points of a target for which the order names none. */
function usualTarget() {
  const ratio = desk.desk.value?.limits.defaultRiskReward;
  const instrument = desk.instrument.value;
  if (!ratio || !instrument) return undefined;
  const distance = stop.enabled.value && isNumber(stop.points.value) ? Number(stop.points.value) : null;
  return Number(((distance ?? instrument.defaultStopPoints) * ratio).toFixed(decimals(instrument.tickSize)));
}

function nudge(/** @type {number} */ ticks) {
  const instrument = desk.instrument.value;
  const from = isNumber(levelText.value) ? Number(levelText.value) : desk.price.value?.last;
  if (!instrument || from === null || from === undefined) return;
  levelText.value = String(onTick(from + ticks * instrument.tickSize, instrument));
}

function titled(/** @type {string} */ word) {
  return word.charAt(0) + word.slice(1).toLowerCase();
}
