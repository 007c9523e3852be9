/** The brackets that have a name in the settings: an order asks for one by it, in place of what the ticket says. */

import { computed, effect, signal } from "@preact/signals";
import * as desk from "./desk.js";
import { FaultAt, marked } from "./fault.js";
import { usd } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./rows.js").Preset} Preset */
/** @typedef {import("./rows.js").Distance} Distance */

const presets = signal(/** @type {readonly Preset[]} */ ([]));
/** The name that the order asks for; empty = none. It stays chosen in another instrument: a name is no level. */
export const preset = signal("");
const chosen = computed(() => presets.value.find((row) => row.name === preset.value) ?? null);
/** Whether the settings have another bracket in its place here, which is not told. */
const isReplaced = computed(() => chosen.value?.instruments?.includes(desk.chosenSymbol.value) ?? false);

// The settings are read when the server starts.
effect(() => {
  if (desk.status.value === "live") void read();
});

async function read() {
  try {
    const response = await fetch("/api/presets");
    if (response.ok) presets.value = (await response.json()).presets;
  } catch {
    // Not there: the page says so by itself, and asks again when it is.
  }
}

/** Where an order with the preset loses what its preview says. */
export function whereLost() {
  if (isReplaced.value) return "at its stop, or in a stress move";
  return chosen.value?.bracket.stop?.enabled === false ? "in a stress move: no stop" : "at stop";
}

/** @param {{fault: import("./fault.js").Fault | null}} props */
export function PresetChooser({ fault }) {
  const names = presets.value.map((row) => row.name);
  if (preset.value !== "" && !names.includes(preset.value)) names.push(preset.value);
  if (names.length === 0) return null;
  return html`
    <label>
      <span>Preset</span>
      <select id="preset" value=${preset.value} ...${marked(fault, "preset")}
        onChange=${(/** @type {any} */ event) => (preset.value = event.target.value)}>
        <option value="">none: as written below</option>
        ${names.map((name) => html`<option value=${name}>${name}</option>`)}
      </select>
      <${FaultAt} fault=${fault} fields=${["preset"]} />
    </label>
    ${preset.value !== "" && html`<p class="quiet meaning">${meaning()}</p>`}
  `;
}

/** What the chosen preset says, in words. */
function meaning() {
  if (chosen.value === null) return "The settings have no such preset.";
  if (isReplaced.value) return `Its own bracket for ${desk.chosenSymbol.value}, as the settings say.`;
  const { stop, targets, breakeven, trail } = chosen.value.bracket;
  const each = targets?.map((at) => `${at.quantity ?? "rest"} at ${distance(at)}`);
  const parts = [
    stop?.enabled === false ? "no stop" : `stop ${distance(stop)}`,
    each?.length === 0 ? "no target" : `target ${each?.join(", ") ?? "as usual"}`,
    breakeven && `breakeven after ${breakeven.trigger} ticks, +${breakeven.offset ?? 0}`,
    trail && `trail ${trail.distance} ticks, by ${trail.step ?? 1}`,
  ];
  return parts.filter(Boolean).join(" · ");
}

function distance(/** @type {Distance | null | undefined} */ at) {
  if (at?.ticks !== undefined) return `${at.ticks} ticks`;
  if (at?.points !== undefined) return `${at.points} pts`;
  if (at?.price !== undefined) return String(at.price);
  if (at?.dollars !== undefined) return usd(at.dollars);
  return "as usual";
}
