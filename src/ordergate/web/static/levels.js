/**
 * The levels of the chosen position that can be moved, each stop and each target, and the one that is being moved.
 *
 * Invariants:
 * 1. A level stands where the server last told it; where it is to go stands beside it until the server says so too.
 * 2. One is moved at a time, and no longer than its level is there to be moved.
 * 3. Nothing is asked before the mouse lets go, or Enter, or Move.
 */

import { batch, computed, effect, signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { ask, isOpen } from "./ask.js";
import * as desk from "./desk.js";
import { isNumber, onTick, price as priceText, signedUsd, tone } from "./format.js";
import { html } from "./html.js";

/** @typedef {{orderId: string, kind: "stop" | "target", name: string, price: number, quantity: number}} Level */
/**
 * @typedef {{orderId: string, from: number, to: number, phase: "held" | "written" | "asked"}} Move `from`: where the
 *   level stood when it began; held by a hand, written with the keyboard, asked of the server
 */

// Longer than a change takes at the broker; after that the rows alone are to be believed.
const ASKED_MS = 5_000;

/** The stops and the targets, each the first to fill first. */
export const levels = computed(() => {
  const held = desk.position.value;
  const told = (/** @type {Level["kind"]} */ kind, /** @type {import("./rows.js").Leg[]} */ legs) =>
    legs.map((leg) => ({ ...leg, kind, name: `${kind.toUpperCase()} ${leg.quantity}` }));
  return /** @type {Level[]} */ (held ? [...told("stop", held.stops), ...told("target", held.targets)] : []);
});

export const move = signal(/** @type {Move | null} */ (null));
/** The level that is being moved. */
export const moved = computed(() => levels.value.find((level) => level.orderId === move.value?.orderId) ?? null);
/** What the last move came to, if not to what was asked. */
const refusal = signal("");
/** What stands in the field, as it was written. */
const written = signal("");

// What can be seen no more, or has arrived, is not being moved.
effect(() => {
  const now = move.value;
  if (now === null) return;
  const level = moved.value;
  if (level === null || desk.status.value !== "live" || (now.phase === "asked" && level.price !== now.from)) leave();
});

/**
 * What a level would make or lose if it filled at `price`: its own contracts, less the fees of both their sides. At the
 * market where it `isThrough` it: there it would fill at once, not at its price.
 * @param {Level} level
 * @param {number} price
 * @returns {{usd: number | null, isThrough: boolean}}
 */
export function outcome(level, price) {
  const held = desk.position.value;
  const instrument = desk.instrument.value;
  if (!held || held.averagePrice === null || !instrument) return { usd: null, isThrough: false };
  const sign = Math.sign(held.netPosition);
  const market = (sign > 0 ? desk.price.value?.bid : desk.price.value?.ask) ?? null;
  const beyond = market === null || price === level.price ? 0 : (price - market) * sign;
  const isThrough = level.kind === "stop" ? beyond > 0 : beyond < 0;
  const ticks = (((isThrough && market !== null ? market : price) - held.averagePrice) / instrument.tickSize) * sign;
  const contracts = Math.min(level.quantity, held.quantity);
  return { usd: (ticks * instrument.tickValue - 2 * instrument.fee) * contracts, isThrough };
}

/** Take hold of a level. */
export function hold(/** @type {Level} */ level, /** @type {Move["phase"]} */ phase) {
  batch(() => {
    refusal.value = "";
    move.value = { orderId: level.orderId, from: level.price, to: level.price, phase };
  });
}

/** Carry what is held to `price`. */
export function carry(/** @type {number} */ price) {
  if (move.value !== null && move.value.phase !== "asked") move.value = { ...move.value, to: price };
}

/** Write down where it was carried, to be asked for or left. */
export function write() {
  if (move.value === null || move.value.phase === "asked") return;
  written.value = String(move.value.to);
  move.value = { ...move.value, phase: "written" };
}

/** Let go of it: it stays where it is. */
export function leave() {
  move.value = null;
}

/** Ask for what is held to be moved to where it was carried. */
export async function put() {
  const level = moved.value;
  const asked = move.value;
  if (level === null || asked === null || asked.phase === "asked") return;
  if (asked.to === level.price) return leave();
  const mine = { ...asked, from: level.price, phase: /** @type {const} */ ("asked") };
  move.value = mine;
  const answer = await ask("/api/modify-order", {
    accountId: desk.chosenAccount.value,
    orderId: level.orderId,
    [level.kind === "stop" ? "stopPrice" : "limitPrice"]: asked.to,
  });
  if (!answer.success) {
    const where = priceText(asked.to, desk.instrument.value ?? undefined);
    refusal.value = `${isOpen(answer) ? "?" : "✕"} ${level.name} not moved to ${where}: ${answer.error}`;
  } else if (move.value === mine) {
    await new Promise((wake) => setTimeout(wake, ASKED_MS));
  }
  if (move.value === mine) leave();
}

/** What came of the last move, if it was refused. */
export function Refusal() {
  return refusal.value && html`<p class="bad refusal" role="alert">${refusal.value}</p>`;
}

/** Where the level that is being moved would go. */
export function Carried() {
  const level = moved.value;
  if (level === null || move.value === null || move.value.phase === "written") return null;
  const { to, phase } = move.value;
  return html`<p class="carried ${level.kind}">
    ${level.name} → <b>${priceText(to, desk.instrument.value ?? undefined)}</b> <${Worth} level=${level} price=${to} />${" "}
    ${phase === "held" ? html`<span class="quiet hint">Esc: leave it</span>` : html`<span class="quiet">asked for …</span>`}
  </p>`;
}

/** A level as text, to be moved with the keyboard. */
export function LevelLine(/** @type {{level: Level}} */ { level }) {
  const isWritten = moved.value?.orderId === level.orderId && move.value?.phase === "written";
  const line = useRef(/** @type {HTMLLIElement | null} */ (null));
  const wasWritten = useRef(false);
  useLayoutEffect(() => {
    // Carried there already, by a finger: there is nothing to be typed.
    if (isWritten && move.peek()?.to !== level.price) line.current?.querySelector("button")?.focus();
    else if (isWritten) line.current?.querySelector("input")?.select();
    // Its field is gone, and the focus with it.
    else if (wasWritten.current && document.activeElement === document.body) line.current?.querySelector("button")?.focus();
    wasWritten.current = isWritten;
  }, [isWritten]);
  return html`<li class=${level.kind} ref=${line}>
    ${isWritten ? html`<${Writing} level=${level} />` : html`<${Standing} level=${level} />`}
  </li>`;
}

function Standing(/** @type {{level: Level}} */ { level }) {
  const where = priceText(level.price, desk.instrument.value ?? undefined);
  const begin = () => {
    hold(level, "written");
    write();
  };
  return html`${level.name}${" "}
    <button type="button" class="at" aria-label="Move ${level.name} from ${where}"
      disabled=${desk.status.value !== "live"} onClick=${begin}><b>${where}</b></button>
    ${" "}<${Worth} level=${level} price=${level.price} />`;
}

function Writing(/** @type {{level: Level}} */ { level }) {
  const instrument = desk.instrument.value;
  const set = (/** @type {string} */ text) => {
    written.value = text;
    if (isNumber(text)) carry(Number(text));
  };
  const nudge = (/** @type {number} */ ticks) => {
    const from = isNumber(written.value) ? Number(written.value) : level.price;
    if (instrument) set(String(onTick(from + ticks * instrument.tickSize, instrument)));
  };
  const done = () => isNumber(written.value) && put();
  /** @type {Record<string, () => unknown>} */
  const keys = { Enter: done, Escape: leave, ArrowUp: () => nudge(1), ArrowDown: () => nudge(-1) };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const meant = keys[event.key];
    if (!meant) return;
    event.preventDefault();
    meant();
  };
  return html`
    <label>
      ${level.name}${" "}
      <input aria-label="${level.name}, new price" inputmode="decimal" autocomplete="off" value=${written.value}
        onInput=${(/** @type {any} */ event) => set(event.target.value.trim())} onKeyDown=${press} />
    </label>
    <button type="button" onClick=${done}>Move</button>
    <button type="button" aria-label="Leave ${level.name}" onClick=${leave}>✕</button>
    <${Worth} level=${level} price=${move.value?.to ?? level.price} />
  `;
}

function Worth(/** @type {{level: Level, price: number}} */ { level, price }) {
  const { usd, isThrough } = outcome(level, price);
  return html`<span class=${tone(usd)}>${signedUsd(usd)}</span>${isThrough && html` <b class="near">▲ fills at once</b>`}`;
}
