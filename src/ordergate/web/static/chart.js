/**
 * The price of the chosen instrument, with the lines that matter on it: position, stop, target, working orders.
 *
 * A stop and a target are dragged by their lines (grip.js); where one would go is drawn beside where it is. The bars come
 * from the broker's history once and from the prices that are told after that. The same lines stand below the chart as
 * text, for who cannot see a canvas; the levels can be moved there too. The library's own logo brings an inline style,
 * which the page's policy forbids, so its licence's link stands here as text too.
 */

import { computed, effect } from "@preact/signals";
import { CandlestickSeries, createChart, LineStyle, TickMarkType } from "lightweight-charts";
import { useEffect, useRef } from "preact/hooks";
import * as desk from "./desk.js";
import { decimals, price as priceText, signedUsd } from "./format.js";
import { gripped } from "./grip.js";
import { html } from "./html.js";
import { Carried, LevelLine, levels, move, moved, outcome, Refusal } from "./levels.js";

/** @typedef {import("lightweight-charts").UTCTimestamp} Seconds */
/** @typedef {import("lightweight-charts").AutoscaleInfo} AutoscaleInfo */
/** @typedef {{time: Seconds, open: number, high: number, low: number, close: number}} Candle */
/** @typedef {{name: string, price: number, kind: keyof typeof COLOURS}} Line */

const BAR_S = 60;
// A longer gap is drawn no wider: a night would push the day out of sight.
const GAP_BARS = 15;
// The same as in style.css, which a canvas cannot read by class.
const COLOURS = { position: "#e8edf4", stop: "#ff8a5c", target: "#3fd0a4", order: "#c9a6ff" };
// A working order farther than this share of the price would only flatten the picture.
const FAR = 0.01;
const STYLES = { position: LineStyle.Solid, stop: LineStyle.Dashed, target: LineStyle.Dashed, order: LineStyle.Dotted };

/** What stands across the chart, but for the levels. */
const others = computed(() => {
  const held = desk.position.value;
  /** @type {Line[]} */
  const found = [];
  if (held && held.averagePrice !== null) {
    found.push({ name: `${held.side} ${held.quantity}`, price: held.averagePrice, kind: "position" });
  }
  const shown = new Set(levels.value.map((level) => level.orderId));
  for (const row of desk.orders.value.values()) {
    const price = row.limitPrice ?? row.stopPrice;
    const isHere = row.accountId === desk.chosenAccount.value && row.instrument === desk.chosenSymbol.value;
    if (isHere && price !== null && desk.isWorking(row) && !shown.has(row.orderId)) {
      const left = row.quantity - row.filledQuantity;
      found.push({ name: `${row.side} ${left} ${row.orderType.toLowerCase()}`, price, kind: "order" });
    }
  }
  return found;
});

/** All that is drawn across the chart where it is; what is being moved is drawn a second time where it would go. */
const lines = computed(() => /** @type {Line[]} */ ([...others.value, ...levels.value]));

export function Chart() {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => (box.current ? draw(box.current) : undefined), []);
  const instrument = desk.instrument.value ?? undefined;
  return html`
    <section class="panel chart" aria-label="Chart">
      <div class="canvas" ref=${box}></div>
      <${Carried} />
      <ul class="lines" aria-label="Lines on the chart">
        ${others.value.map(
          (line) => html`<li class=${line.kind}>${line.name} <b>${priceText(line.price, instrument)}</b></li>`,
        )}
        ${levels.value.map((level) => html`<${LevelLine} key=${level.orderId} level=${level} />`)}
        <li class="credit" title="TradingView Lightweight Charts, Copyright (c) 2023 TradingView, Inc.">
          <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer">Chart by TradingView</a>
        </li>
      </ul>
      <${Refusal} />
    </section>
  `;
}

/**
 * Draw into `box` until the returned function is called.
 * @param {HTMLDivElement} box
 */
function draw(box) {
  const chart = createChart(box, {
    autoSize: true,
    layout: { background: { color: "#10151d" }, textColor: "#93a1b5", attributionLogo: false },
    grid: { vertLines: { color: "#1a222d" }, horzLines: { color: "#1a222d" } },
    localization: { timeFormatter: (/** @type {any} */ at) => local(at, { dateStyle: "medium", timeStyle: "short" }) },
    timeScale: { timeVisible: true, rightOffset: 6, tickMarkFormatter: tickMark },
  });
  const series = chart.addSeries(CandlestickSeries, {
    upColor: "#3b82f6",
    wickUpColor: "#3b82f6",
    downColor: "#f0803c",
    wickDownColor: "#f0803c",
    borderVisible: false,
    autoscaleInfoProvider: (/** @type {() => AutoscaleInfo | null} */ usual) => withLines(usual(), last?.close ?? null),
  });
  /** @type {Candle | null} */
  let last = null;
  let drawn = /** @type {import("lightweight-charts").IPriceLine[]} */ ([]);
  const stopLines = effect(() => {
    for (const line of drawn) series.removePriceLine(line);
    drawn = lines.value.map((line) => series.createPriceLine(styled(line)));
  });
  const stopMove = effect(() => {
    const level = moved.value;
    if (level === null || move.value === null) return undefined;
    const { to } = move.value;
    const line = { name: `${level.name} → ${signedUsd(outcome(level, to).usd)}`, price: to, kind: level.kind };
    const there = series.createPriceLine({ ...styled(line), lineStyle: LineStyle.Solid });
    return () => series.removePriceLine(there);
  });
  const symbol = computed(() => (desk.status.value === "live" ? desk.chosenSymbol.value : ""));
  const stopHistory = effect(() => {
    if (symbol.value === "") return undefined;
    const tickSize = desk.instruments.peek().get(symbol.value)?.tickSize ?? 0.01;
    series.applyOptions({ priceFormat: { type: "price", precision: decimals(tickSize), minMove: tickSize } });
    last = null;
    series.setData([]);
    const abort = new AbortController();
    bars(symbol.value, abort.signal).then(
      (candles) => {
        const early = last; // prices that were told while the history was on its way
        series.setData(withGaps(candles));
        last = candles.at(-1) ?? null;
        if (early && (!last || early.time > last.time)) series.update((last = early));
        chart.timeScale().applyOptions({ barSpacing: 7 });
        chart.timeScale().scrollToRealTime();
      },
      () => {}, // no history: the chart begins with the next price
    );
    return () => abort.abort();
  });
  const stopPrices = effect(() => {
    const told = desk.price.value;
    if (!told || told.last === null || desk.status.value !== "live") return;
    last = grown(last, told.last, Math.floor(told.timestamp / 1000 / BAR_S) * BAR_S);
    series.update(last);
  });
  const letGo = gripped(box, chart, series);
  return () => {
    letGo();
    stopLines();
    stopMove();
    stopHistory();
    stopPrices();
    chart.remove();
  };
}

function styled(/** @type {Line} */ { name, price, kind }) {
  const lineWidth = /** @type {const} */ (2);
  return { price, color: COLOURS[kind], lineWidth, lineStyle: STYLES[kind], axisLabelVisible: true, title: name };
}

/**
 * The bar under way after one more price; a price that is older than it changes its bar too, as lines never go back.
 * @param {Candle | null} last
 * @param {number} price
 * @param {number} start when the bar of the price begins
 * @returns {Candle}
 */
function grown(last, price, start) {
  if (!last || start > last.time) {
    return { time: /** @type {Seconds} */ (start), open: price, high: price, low: price, close: price };
  }
  return { ...last, high: Math.max(last.high, price), low: Math.min(last.low, price), close: price };
}

/**
 * The range of prices to show, with every line in it.
 * @param {AutoscaleInfo | null} usual
 * @param {number | null} now
 * @returns {AutoscaleInfo | null}
 */
function withLines(usual, now) {
  if (!usual?.priceRange || now === null) return usual;
  const shown = lines
    .peek()
    .filter((line) => line.kind !== "order" || Math.abs(line.price / now - 1) < FAR)
    .map((line) => line.price);
  const minValue = Math.min(usual.priceRange.minValue, ...shown);
  const maxValue = Math.max(usual.priceRange.maxValue, ...shown);
  return { ...usual, priceRange: { minValue, maxValue } };
}

/**
 * The history of the broker, the oldest first.
 * @param {string} symbol
 * @param {AbortSignal} signal
 * @returns {Promise<Candle[]>}
 */
async function bars(symbol, signal) {
  const response = await fetch(`/api/bars?symbol=${encodeURIComponent(symbol)}`, { signal });
  if (!response.ok) throw new Error(`no bars: ${response.status}`);
  const told = /** @type {{bars: {time: string, open: number, high: number, low: number, close: number}[]}} */ (
    await response.json()
  );
  return told.bars.map((bar) => ({ ...bar, time: /** @type {Seconds} */ (Date.parse(bar.time) / 1000) }));
}

/**
 * The bars with an empty place for each minute in which nothing was traded, and a few where the market was closed.
 * @param {Candle[]} candles
 * @returns {(Candle | {time: Seconds})[]}
 */
export function withGaps(candles) {
  return candles.flatMap((candle, place) => {
    const before = candles[place - 1];
    const missing = before ? (candle.time - before.time) / BAR_S - 1 : 0;
    const empty = Array.from({ length: Math.min(missing, GAP_BARS) }, (_, number) => ({
      time: /** @type {Seconds} */ (candle.time - (Math.min(missing, GAP_BARS) - number) * BAR_S),
    }));
    return [...empty, candle];
  });
}

/** @param {number} seconds @param {Intl.DateTimeFormatOptions} how */
function local(seconds, how) {
  return new Date(seconds * 1000).toLocaleString("en-GB", how);
}

/** The time axis in this machine's own time. @param {any} at @param {TickMarkType} kind */
function tickMark(at, kind) {
  if (kind === TickMarkType.Year) return local(at, { year: "numeric" });
  if (kind === TickMarkType.Month) return local(at, { month: "short" });
  if (kind === TickMarkType.DayOfMonth) return local(at, { day: "numeric", month: "short" });
  return local(at, { hour: "2-digit", minute: "2-digit" });
}
