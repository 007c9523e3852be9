/**
 * What the page knows: rows as the server last told them, kept from a snapshot and the events after it.
 *
 * Invariants:
 * 1. Rows change only by a snapshot or by the event whose number is the next one.
 * 2. While `status` is not "live", nothing here may be taken for the present.
 */

import { batch, computed, effect, signal } from "@preact/signals";

/** @typedef {import("./rows.js").Snapshot} Snapshot */
/** @typedef {import("./rows.js").Order} Order */
/** @typedef {import("./rows.js").Price & {quotedMs: number}} KnownPrice `quotedMs`: when, by this page's own clock */

// As the gate's own default: an older quote is no reference price.
const PRICE_AGE_MS_MAX = 5_000;
const LOOK_MS = 250;
const CHOICE = "ordergate.choice";

/** connecting: never live yet; live; gone: nothing is heard of the server. */
export const status = signal(/** @type {"connecting" | "live" | "gone"} */ ("connecting"));
/** Why it is not live, for people. */
export const statusReason = signal("");

export const desk = signal(/** @type {import("./rows.js").Desk | null} */ (null));
export const accounts = signal(/** @type {ReadonlyMap<number, import("./rows.js").Account>} */ (new Map()));
export const positions = signal(/** @type {ReadonlyMap<string, import("./rows.js").Position>} */ (new Map()));
/** By account and order id; the oldest first. */
export const orders = signal(/** @type {ReadonlyMap<string, Order>} */ (new Map()));
/** By account and fill id; the oldest first. */
export const fills = signal(/** @type {ReadonlyMap<string, import("./rows.js").Fill>} */ (new Map()));
export const instruments = signal(/** @type {ReadonlyMap<string, import("./rows.js").Instrument>} */ (new Map()));
export const prices = signal(/** @type {ReadonlyMap<string, KnownPrice>} */ (new Map()));
/** What somebody should look at, by id. */
export const alarms = signal(/** @type {ReadonlyMap<string, import("./rows.js").Alarm>} */ (new Map()));

/** What the person has chosen to look at and to trade. */
export const chosenAccount = signal(/** @type {number | null} */ (remembered().accountId ?? null));
export const chosenSymbol = signal(/** @type {string} */ (remembered().symbol ?? ""));
effect(() => localStorage.setItem(CHOICE, JSON.stringify({ accountId: chosenAccount.value, symbol: chosenSymbol.value })));

export const account = computed(() => accounts.value.get(chosenAccount.value ?? -1) ?? null);
export const instrument = computed(() => instruments.value.get(chosenSymbol.value) ?? null);
export const price = computed(() => prices.value.get(chosenSymbol.value) ?? null);
export const position = computed(
  () =>
    [...positions.value.values()].find(
      (row) => row.accountId === chosenAccount.value && row.instrument === chosenSymbol.value,
    ) ?? null,
);

/** This page's own clock, looked at now and then. */
const nowMs = signal(performance.now());
setInterval(() => (nowMs.value = performance.now()), LOOK_MS);

/**
 * What the gate's clock says now, in milliseconds: as its newest price tells it, and this page's clock since then. The
 * two need not agree, and beside a recorded market they do not. Without any price, this machine's own.
 */
export const gateMs = computed(() => {
  const ahead = Math.max(...[...prices.value.values()].map((row) => row.timestamp - row.quotedMs));
  return Number.isFinite(ahead) ? nowMs.value + ahead : performance.timeOrigin + nowMs.value;
});

/** Whether the chosen instrument has a two-sided quote of now: a market that falls silent tells nothing by itself. */
export const isQuoted = computed(() => {
  const row = price.value;
  if (status.value !== "live" || row === null || row.bid === null || row.ask === null) return false;
  return nowMs.value - row.quotedMs <= PRICE_AGE_MS_MAX;
});

/** The number of the last event that the rows show. */
let number = -1;

/** Begin from everything. */
export function begin(/** @type {Snapshot} */ told) {
  batch(() => {
    number = told.number;
    desk.value = told.desk;
    accounts.value = new Map(told.accounts.map((row) => [row.accountId, row]));
    positions.value = new Map(told.positions.map((row) => [row.positionId, row]));
    orders.value = new Map(told.orders.toReversed().map((row) => [key(row.accountId, row.orderId), row]));
    fills.value = new Map(told.fills.toReversed().map((row) => [key(row.accountId, row.fillId), row]));
    instruments.value = new Map(told.instruments.map((row) => [row.symbol, row]));
    prices.value = new Map(Object.values(told.prices).map((row) => [row.symbol, known(row)]));
    alarms.value = new Map(told.alarms.map((row) => [row.alarmId, row]));
    if (!accounts.value.has(chosenAccount.value ?? -1)) chosenAccount.value = told.accounts[0]?.accountId ?? null;
    const allowed = told.instruments.filter((row) => row.allowed);
    if (!allowed.some((row) => row.symbol === chosenSymbol.value)) {
      chosenSymbol.value = (allowed.find((row) => row.symbol === "MES") ?? allowed[0])?.symbol ?? "";
    }
  });
}

/**
 * Apply one event.
 * @param {number} told its number
 * @param {string} name
 * @param {any} row
 * @returns {boolean} false when a number is missing: the rows are no longer true, and a snapshot is needed
 */
export function apply(told, name, row) {
  if (told <= number) return true;
  if (told !== number + 1) return false;
  number = told;
  switch (name) {
    case "desk":
      desk.value = row;
      break;
    case "account":
      accounts.value = new Map(accounts.value).set(row.accountId, row);
      break;
    case "position": {
      const held = new Map(positions.value);
      if (row.quantity === 0) held.delete(row.positionId);
      else held.set(row.positionId, row);
      positions.value = held;
      break;
    }
    case "order":
      orders.value = new Map(orders.value).set(key(row.accountId, row.orderId), row);
      break;
    case "fill":
      fills.value = new Map(fills.value).set(key(row.accountId, row.fillId), row);
      break;
    case "instrument":
      instruments.value = new Map(instruments.value).set(row.symbol, row);
      break;
    case "price":
      prices.value = new Map(prices.value).set(row.symbol, known(row));
      break;
    case "alarm": {
      const open = new Map(alarms.value);
      if (row.open) open.set(row.alarmId, row);
      else open.delete(row.alarmId);
      alarms.value = open;
      break;
    }
  }
  return true;
}

/** Whether an order may still fill. */
export function isWorking(/** @type {Order} */ row) {
  return ["PENDING", "WORKING", "PARTIALLY_FILLED", "IN_DOUBT"].includes(row.status);
}

/** Whether it was sent although it breaks limits: an order that is denied never leaves. */
export function isOverridden(/** @type {Order} */ row) {
  return row.status !== "DENIED" && row.breaches.length > 0;
}

/** What was chosen when the page was last open. */
function remembered() {
  return JSON.parse(localStorage.getItem(CHOICE) ?? "{}");
}

/** @returns {KnownPrice} */
function known(/** @type {import("./rows.js").Price} */ row) {
  return { ...row, quotedMs: performance.now() - row.ageMs };
}

function key(/** @type {number} */ accountId, /** @type {string | number} */ id) {
  return `${accountId} ${id}`;
}
