/**
 * The ticket's bracket: several targets, a stop that goes to breakeven, a stop that trails.
 *
 * Invariants:
 * 1. What is not used is not sent: without it an order says the documented fields alone.
 * 2. The stop is the ticket's own, and so is the target while none stands here.
 */

import { batch, computed, signal } from "@preact/signals";
import { FaultAt, marked } from "./fault.js";
import { decimals, isNumber, usd } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./fault.js").Fault} Fault */
/** @typedef {{points: string, quantity: string}} Target as it is written; no quantity = all that is left */
/** @typedef {import("@preact/signals").Signal<string>} Text */
/** @typedef {{enabled?: boolean, points?: number} | undefined} Leg */

// As the server has it: each is an order at the broker.
const TARGETS_MAX = 5;
const REST = "rest";

const targets = signal(/** @type {readonly Target[]} */ ([]));
const breakeven = { enabled: signal(false), trigger: signal(""), offset: signal("") };
const trail = { enabled: signal(false), distance: signal(""), step: signal("") };
const opened = signal(false);

export const hasTargets = computed(() => targets.value.length > 0);
export const isUsed = computed(() => hasTargets.value || breakeven.enabled.value || trail.enabled.value);

/** What is not even a number yet; what the numbers have to be is the server's to say. */
export const unsaid = computed(() => {
  for (const [place, target] of targets.value.entries()) {
    const field = `bracket.targets[${place}]`;
    if (!(isNumber(target.points) && Number(target.points) > 0)) {
      return fault(`${field}.points`, `say the points of target ${place + 1}`);
    }
    if (!/^\d{0,4}$/.test(said(target.quantity))) {
      return fault(`${field}.quantity`, `the contracts of target ${place + 1} must be a whole number`);
    }
  }
  for (const [name, part, first, second] of /** @type {const} */ ([
    ["breakeven", breakeven, "trigger", "offset"],
    ["trail", trail, "distance", "step"],
  ])) {
    const ticks = /** @type {Record<string, Text>} */ (/** @type {unknown} */ (part));
    if (!part.enabled.value) continue;
    for (const key of [first, second]) {
      if (!/^\d{1,5}$/.test(ticks[key]?.value || (key === first ? "" : "0"))) {
        return fault(`bracket.${name}.${key}`, `say the ${key} of the ${name} in whole ticks`);
      }
    }
  }
  return null;
});

/**
 * What is sent.
 * @param {Leg} stop the ticket's own
 * @param {Leg} target the ticket's own, where none stands here
 */
export function bracketBody(stop, target) {
  return {
    stop,
    targets: hasTargets.value
      ? targets.value.map(({ points, quantity }) => ({ points: Number(points), quantity: whole(said(quantity)) }))
      : target && (target.enabled === false ? [] : [target]),
    breakeven: breakeven.enabled.value
      ? { trigger: whole(breakeven.trigger.value), offset: whole(breakeven.offset.value) }
      : undefined,
    trail: trail.enabled.value ? { distance: whole(trail.distance.value), step: whole(trail.step.value) } : undefined,
  };
}

/** Forget it all: its distances belong to one instrument. */
export function clear() {
  batch(() => {
    targets.value = [];
    for (const text of [breakeven.trigger, breakeven.offset, trail.distance, trail.step]) text.value = "";
    breakeven.enabled.value = false;
    trail.enabled.value = false;
  });
}

/** @param {{fault: Fault | null, contracts: number, pointValue: number | undefined, tickSize: number}} props */
export function Bracket({ fault, contracts, pointValue, tickSize }) {
  const shares = shared(contracts);
  const runs = contracts - shares.reduce((sum, share) => sum + share, 0);
  return html`
    <details class="bracket" open=${opened.value}
      onToggle=${(/** @type {any} */ event) => (opened.value = event.currentTarget.open)}>
      <summary>Bracket <span class="quiet">${summary()}</span></summary>
      ${targets.value.map(
        (target, place) => html`<${TargetRow} target=${target} place=${place} share=${shares[place] ?? 0} fault=${fault}
          worth=${pointValue === undefined ? null : Number(target.points) * pointValue * (shares[place] ?? 0)} />`,
      )}
      <p class="add">
        <button type="button" disabled=${targets.value.length >= TARGETS_MAX} onClick=${add}>+ Target</button>
        <span class="quiet">
          ${hasTargets.value && runs > 0 && `${runs} of ${contracts}: stop alone`}
        </span>
      </p>
      <${TickRow} name="Breakeven" field="bracket.breakeven" enabled=${breakeven.enabled} fault=${fault}
        parts=${{ trigger: breakeven.trigger, offset: breakeven.offset }} usual="0" />
      <${TickRow} name="Trail" field="bracket.trail" enabled=${trail.enabled} fault=${fault}
        parts=${{ distance: trail.distance, step: trail.step }} usual="1" />
      <p class="quiet">Breakeven and trail are in ticks of ${tickSize.toFixed(decimals(tickSize))}.</p>
    </details>
  `;
}

/** @param {{target: Target, place: number, share: number, worth: number | null, fault: Fault | null}} props */
function TargetRow({ target, place, share, worth, fault }) {
  const field = `bracket.targets[${place}]`;
  const name = `Target ${place + 1}`;
  const isLast = place === targets.value.length - 1;
  const wanted = Number(said(target.quantity));
  return html`
    <div class="scale" role="group" aria-label=${name}>
      <b aria-hidden="true">${place + 1}</b>
      <label class="points">
        <input inputmode="decimal" autocomplete="off" aria-label="${name} in points" value=${target.points}
          ...${marked(fault, `${field}.points`)}
          onInput=${(/** @type {any} */ event) => change(place, { points: event.target.value.trim() })} />
        <span>pts</span>
      </label>
      <label class="points">
        <span aria-hidden="true">×</span>
        <input inputmode="numeric" autocomplete="off" aria-label="${name}, contracts" value=${target.quantity}
          placeholder=${isLast ? REST : ""} ...${marked(fault, `${field}.quantity`)}
          onInput=${(/** @type {any} */ event) => change(place, { quantity: event.target.value.trim() })} />
      </label>
      <button type="button" aria-label="Remove target ${place + 1}" onClick=${() => remove(place)}>✕</button>
      <output>${share && worth ? `${share} for ${usd(worth)}` : ""}</output>
      ${wanted > share && html`<span class="near">▲ ${share} left for it</span>`}
      <${FaultAt} fault=${fault} fields=${[field]} />
    </div>
  `;
}

/**
 * @param {{name: string, field: string, enabled: import("@preact/signals").Signal<boolean>,
 *   parts: Record<string, Text>, usual: string, fault: Fault | null}} props `usual`: of the last part
 */
function TickRow({ name, field, enabled, parts, usual, fault }) {
  return html`
    <div class="ticks" role="group" aria-label=${name}>
      <label class="switch">
        <input type="checkbox" checked=${enabled.value}
          onChange=${(/** @type {any} */ event) => (enabled.value = event.target.checked)} />
        <span>${name}</span>
      </label>
      ${enabled.value &&
      Object.entries(parts).map(
        ([key, text], place) => html`<label>
          <span>${key}</span>
          <input inputmode="numeric" autocomplete="off" aria-label="${name} ${key} in ticks" value=${text.value}
            placeholder=${place === 0 ? "" : usual} ...${marked(fault, `${field}.${key}`)}
            onInput=${(/** @type {any} */ event) => (text.value = event.target.value.trim())} />
        </label>`,
      )}
      <${FaultAt} fault=${fault} fields=${[field]} />
    </div>
  `;
}

/** What of it is used, in a few words. */
function summary() {
  const count = targets.value.length;
  const parts = [
    count && `${count} target${count > 1 ? "s" : ""}`,
    breakeven.enabled.value && "breakeven",
    trail.enabled.value && "trail",
  ];
  return parts.filter(Boolean).join(", ") || "simple";
}

/** How many of `contracts` leave at each target. */
function shared(/** @type {number} */ contracts) {
  let left = contracts;
  return targets.value.map((target) => {
    const wanted = said(target.quantity);
    const share = wanted === "" ? left : Math.min(left, Number(wanted) || 0);
    left -= share;
    return share;
  });
}

function add() {
  const before = targets.value.map((target) => (said(target.quantity) === "" ? { ...target, quantity: "1" } : target));
  targets.value = [...before, { points: "", quantity: "" }];
}

function remove(/** @type {number} */ place) {
  targets.value = targets.value.filter((_, index) => index !== place);
}

function change(/** @type {number} */ place, /** @type {Partial<Target>} */ written) {
  targets.value = targets.value.map((target, index) => (index === place ? { ...target, ...written } : target));
}

function said(/** @type {string} */ quantity) {
  return quantity.toLowerCase() === REST ? "" : quantity;
}

function whole(/** @type {string} */ text) {
  return text === "" ? undefined : Number(text);
}

/** @returns {Fault} */
function fault(/** @type {string} */ field, /** @type {string} */ text) {
  return { field, text };
}
