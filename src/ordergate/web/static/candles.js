/**
 * The bars on the chart: the broker's history, what was traded before it, and the prices that are told after it.
 *
 * Who scrolls to the left edge gets earlier bars. Where a price comes minutes after the last bar (the line was down, the
 * machine asleep, or nothing was traded), the broker says what there was between: nothing is made up, and what is
 * missing stays an empty place.
 */

import { computed, effect } from "@preact/signals";
import * as desk from "./desk.js";
import { decimals } from "./format.js";

/** @typedef {import("lightweight-charts").UTCTimestamp} Seconds */
/** @typedef {{time: Seconds, open: number, high: number, low: number, close: number}} Candle */
/** @typedef {import("lightweight-charts").ISeriesApi<"Candlestick">} Series */

const BAR_S = 60;
// A longer gap is drawn no wider: a night would push the day out of sight.
const GAP_BARS = 15;
// So near to the oldest bar the ones before it are asked for.
const EDGE_BARS = 20;
// The broker allows a chart some bars a minute: what failed is not asked for at every movement of the mouse.
const PAUSE_MS = 3_000;

/** The bars of one symbol on one chart. */
class Shown {
  /** @param {Series} series @param {string} symbol */
  constructor(series, symbol) {
    this.series = series;
    this.symbol = symbol;
    this.abort = new AbortController();
    /** The oldest first. @type {Candle[]} */
    this.held = [];
    this.isReading = true;
    this.isWhole = false;
  }

  /** Read the newest for the first time: before it there is nothing that could have something earlier. */
  async begin() {
    try {
      await this.read(0);
    } finally {
      this.isReading = false;
    }
  }

  /**
   * Read the newest; prices that were told while they were on their way stay, and what is older than they if they reach
   * back to `joint`: else there would be a hole between.
   * @param {number} joint in seconds
   */
  async read(joint) {
    const found = await bars(this.symbol, this.abort.signal);
    const [first, last] = [found[0], found.at(-1)];
    if (!first || !last) return;
    const older = first.time <= joint ? this.held.filter((bar) => bar.time < first.time) : [];
    this.isWhole &&= older.length > 0;
    this.held = [...older, ...found, ...this.held.filter((bar) => bar.time > last.time)];
    this.series.setData(withGaps(this.held));
  }

  /** Read what was before the oldest, once at a time, until there is nothing. */
  async readEarlier() {
    const oldest = this.held[0];
    if (this.isReading || this.isWhole || !oldest) return;
    this.isReading = true;
    try {
      const found = await bars(this.symbol, this.abort.signal, oldest.time);
      if (this.held[0] !== oldest) return; // meanwhile all was read anew
      this.isWhole = found.length === 0;
      this.held = [...found, ...this.held];
      this.series.setData(withGaps(this.held));
    } catch {
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    } finally {
      this.isReading = false;
    }
  }

  /** One more price, in the bar that begins at `start`. @param {number} price @param {number} start */
  tell(price, start) {
    const last = this.held.at(-1) ?? null;
    const bar = grown(last, price, start);
    this.held.splice(last?.time === bar.time ? -1 : this.held.length, 1, bar);
    this.series.update(bar);
    if (last && bar.time - last.time > BAR_S) this.read(last.time).catch(() => {}); // asked for again at the next gap
  }
}

/**
 * Keep the bars of the chosen symbol on `series` until `stop` is called; `close` is the last price drawn.
 * @param {import("lightweight-charts").IChartApi} chart
 * @param {Series} series
 */
export function follow(chart, series) {
  /** @type {Shown | null} */
  let shown = null;
  const symbol = computed(() => (desk.status.value === "live" ? desk.chosenSymbol.value : ""));
  const stopHistory = effect(() => {
    if (symbol.value === "") return undefined;
    const tickSize = desk.instruments.peek().get(symbol.value)?.tickSize ?? 0.01;
    series.applyOptions({ priceFormat: { type: "price", precision: decimals(tickSize), minMove: tickSize } });
    series.setData([]);
    const begun = (shown = new Shown(series, symbol.value));
    begun.begin().then(
      () => {
        chart.timeScale().applyOptions({ barSpacing: 7 });
        chart.timeScale().scrollToPosition(chart.timeScale().options().rightOffset, false);
      },
      () => {}, // no history: the chart begins with the next price
    );
    return () => begun.abort.abort();
  });
  const stopPrices = effect(() => {
    const told = desk.price.value;
    if (!told || told.last === null || desk.status.value !== "live") return;
    shown?.tell(told.last, Math.floor(told.timestamp / 1000 / BAR_S) * BAR_S);
  });
  const moved = (/** @type {{from: number} | null} */ range) => {
    if (range && range.from < EDGE_BARS) shown?.readEarlier();
  };
  chart.timeScale().subscribeVisibleLogicalRangeChange(moved);
  return {
    close: () => shown?.held.at(-1)?.close ?? null,
    stop() {
      chart.timeScale().unsubscribeVisibleLogicalRangeChange(moved);
      stopHistory();
      stopPrices();
    },
  };
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
 * The history of the broker, the oldest first: the newest bars, or those before `before`.
 * @param {string} symbol
 * @param {AbortSignal} signal
 * @param {number | null} before in seconds
 * @returns {Promise<Candle[]>}
 */
async function bars(symbol, signal, before = null) {
  const query = new URLSearchParams({ symbol });
  if (before !== null) query.set("before", new Date(before * 1000).toISOString());
  const response = await fetch(`/api/bars?${query}`, { signal });
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
