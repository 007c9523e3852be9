/**
 * The price of the chosen instrument, with the lines that matter on it: position, stop, target, working orders.
 *
 * A stop and a target are dragged by their lines (grip.js); where one would go is drawn beside where it is. The bars are
 * kept by candles.js. The same lines stand below the chart as text, for who cannot see a canvas; the levels can be moved
 * there too. The library's own logo brings an inline style, which the page's policy forbids, so its licence's link stands
 * here as text too.
 */

import { computed, effect } from "@preact/signals";
import { CandlestickSeries, createChart, LineStyle, TickMarkType } from "lightweight-charts";
import { useEffect, useRef } from "preact/hooks";
import { follow } from "./candles.js";
import * as desk from "./desk.js";
import { price as priceText, signedUsd } from "./format.js";
import { gripped } from "./grip.js";
import { html } from "./html.js";
import { Carried, LevelLine, levels, move, moved, outcome, Refusal } from "./levels.js";

/** @typedef {import("lightweight-charts").AutoscaleInfo} AutoscaleInfo */
/** @typedef {{name: string, price: number, kind: keyof typeof COLOURS}} Line */

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
  let bars = /** @type {ReturnType<typeof follow> | null} */ (null);
  const series = chart.addSeries(CandlestickSeries, {
    upColor: "#3b82f6",
    wickUpColor: "#3b82f6",
    downColor: "#f0803c",
    wickDownColor: "#f0803c",
    borderVisible: false,
    autoscaleInfoProvider: (/** @type {() => AutoscaleInfo | null} */ usual) => withLines(usual(), bars?.close() ?? null),
  });
  bars = follow(chart, series);
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
  const letGo = gripped(box, chart, series);
  return () => {
    letGo();
    stopLines();
    stopMove();
    bars?.stop();
    chart.remove();
  };
}

function styled(/** @type {Line} */ { name, price, kind }) {
  const lineWidth = /** @type {const} */ (2);
  return { price, color: COLOURS[kind], lineWidth, lineStyle: STYLES[kind], axisLabelVisible: true, title: name };
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
