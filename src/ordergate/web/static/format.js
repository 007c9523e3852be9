/** Numbers and instants as text. Pure. What is not known is a dash, never a zero. */

/** @typedef {import("./rows.js").Instrument} Instrument */

const UNKNOWN = "–";

/** Digits behind the point that a multiple of `step` can need, for example 2 for 0.25. */
export function decimals(/** @type {number} */ step) {
  const [mantissa = "", exponent = "0"] = String(step).split("e");
  const fraction = mantissa.split(".")[1] ?? "";
  return Math.max(0, fraction.length - Number(exponent));
}

/**
 * A price with all digits that its tick can need.
 * @param {number | null | undefined} value
 * @param {Instrument | undefined} instrument
 */
export function price(value, instrument) {
  if (value === null || value === undefined) return UNKNOWN;
  const digits = instrument ? decimals(instrument.tickSize) : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: Math.max(digits, 4) });
}

/**
 * US dollars with a sign: the sign, not the colour, says which way.
 * @param {number | null | undefined} value
 */
export function signedUsd(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const amount = usd(Math.abs(value));
  return value > 0 ? `+${amount}` : value < 0 ? `−${amount}` : amount;
}

/** US dollars and cents. */
export function usd(/** @type {number | null | undefined} */ value) {
  if (value === null || value === undefined) return UNKNOWN;
  return value.toLocaleString("en-US", { style: "currency", currency: "USD" });
}

/** The class of an amount: its colour, beside the sign that its text has anyway. */
export function tone(/** @type {number | null | undefined} */ value) {
  return value === null || value === undefined || value === 0 ? "" : value > 0 ? "gain" : "loss";
}

/** Whether what was written is a number that the server would read as one. */
export function isNumber(/** @type {string} */ text) {
  return /^-?\d{1,8}(\.\d{1,9})?$/.test(text);
}

/** An instant as the clock of this machine shows it. */
export function clock(/** @type {string | null} */ instant) {
  return instant === null ? UNKNOWN : new Date(instant).toLocaleTimeString("en-GB");
}

/** A span of time as minutes and seconds, for example 00:07. */
export function elapsed(/** @type {number} */ ms) {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  return [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, "0")).join(":");
}

/**
 * The nearest price on the instrument's grid.
 * @param {number} value
 * @param {Instrument} instrument
 */
export function onTick(value, instrument) {
  return Number((Math.round(value / instrument.tickSize) * instrument.tickSize).toFixed(decimals(instrument.tickSize)));
}
