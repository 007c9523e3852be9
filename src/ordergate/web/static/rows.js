/**
 * The shapes of what the server tells, as types only: nothing here runs. They are the rows of `web/rows.py`.
 *
 * What is not known is null. Prices and money are numbers of the instrument's currency; instants are ISO 8601 in UTC.
 *
 * @typedef {{code: string, limit: number | string, actual: number | string, message: string}} Breach
 * @typedef {{orderId: string, price: number, quantity: number, status: string}} Leg
 * @typedef {{state: "protected" | "protecting" | "unprotected" | "by choice", uncovered: number, since: string,
 *   cause: string}} Protection
 * @typedef {{maxOrderSize: number, maxPositionSize: number, maxOpenOrders: number, maxDailyLoss: number,
 *   maxRiskPercent: number, defaultRiskReward: number}} Limits
 * @typedef {{mode: string, venue: string, login: string, version: string, linkUp: boolean, linkReason: string,
 *   trouble: string, limits: Limits, modes: Modes, paused: Paused | null, checks: Check[]}} Desk
 * @typedef {{name: string, text: string, well: boolean | null}} Check
 * @typedef {{shadow: boolean, interceptOrders: boolean, preserveOriginalWorkflow: boolean,
 *   enableRiskValidation: boolean, enableSLTPCalculation: boolean, enforcing: boolean, unasked: string}} Modes
 * @typedef {{by: string, since: string, reason: string}} Paused
 * @typedef {{instrument: string, contractId: string, worstLong: number, worstShort: number}} Exposure
 * @typedef {{accountId: number, name: string, balance: number, canTrade: boolean, canCancel: boolean, bracketMode: string,
 *   equity: number | null, dayPnl: number | null, dayPnlAtStops: number | null, ifWeDie: number | null, ifWeDieBounded: boolean,
 *   dailyLossLimit: number, openOrders: number, passedOrders: number,
 *   exposures: Exposure[], tradingState: string, reason: string, lockedUntil: string | null, tradingDay: string,
 *   linkUp: boolean}} Account
 * @typedef {{positionId: string, accountId: number, instrument: string, contractId: string, side: string,
 *   quantity: number, netPosition: number, averagePrice: number | null, currentPrice: number | null,
 *   unrealizedPnL: number | null, netPnL: number | null, stopLoss: Leg | null, takeProfit: Leg | null,
 *   stops: Leg[], targets: Leg[], protected: boolean, protection: Protection | null,
 *   stopMoves: string[]}} Position
 * @typedef {{orderId: string, accountId: number, instrument: string, contractId: string, side: string, quantity: number,
 *   filledQuantity: number, orderType: string, limitPrice: number | null, stopPrice: number | null, status: string,
 *   averageFillPrice: number | null, stopLoss: Leg | null, takeProfit: Leg | null, targets: Leg[],
 *   brokerOrderId: number | null, breaches: Breach[], source: string,
 *   timestamps: {received: string | null, decided: string | null, updated: string | null}, reason: string,
 *   passed: boolean}} Order
 * @typedef {{fillId: number, accountId: number, orderId: string, instrument: string, contractId: string, side: string,
 *   quantity: number, price: number, fee: number, realizedPnL: number | null, purpose: string, at: string,
 *   busted: boolean}} Fill
 * @typedef {{symbol: string, contractId: string, name: string, tickSize: number, tickValue: number, pointValue: number,
 *   defaultStopPoints: number, fee: number, isActive: boolean, allowed: boolean}} Instrument
 * @typedef {{symbol: string, contractId: string, bid: number | null, ask: number | null, last: number | null,
 *   timestamp: number, ageMs: number}} Price
 * @typedef {{alarmId: string, number: number, code: string, level: "critical" | "warning" | "info", message: string,
 *   accountId: number | null, orderId: string | null, instrument: string | null, count: number,
 *   firstAt: string | null, at: string | null, stands: boolean, acknowledged: boolean, open: boolean}} Alarm
 * @typedef {{number: number, desk: Desk, accounts: Account[], positions: Position[], orders: Order[], fills: Fill[],
 *   instruments: Instrument[], prices: Record<string, Price>, alarms: Alarm[]}} Snapshot
 * @typedef {{ticks?: number, points?: number, price?: number, dollars?: number}} Distance
 * @typedef {{name: string, instruments: string[] | null, bracket: {stop?: (Distance & {enabled?: boolean}) | null,
 *   targets?: (Distance & {quantity?: number})[] | null, breakeven?: {trigger: number, offset?: number} | null,
 *   trail?: {distance: number, step?: number} | null}}} Preset
 * @typedef {{quantity: number, limitPrice: number | null, stopPrice: number | null}} Nearest
 * @typedef {{decision: "approved" | "denied" | "overridden" | "passed", breaches: Breach[], worstPosition: number, lossAtStop: number | null,
 *   room: Record<string, number | null>, bindsNext: string | null, nearest: Nearest | null, asOf: number}} Preview
 * @typedef {{success: boolean, error?: string, code?: string, field?: string, orderId?: string, breaches?: Breach[],
 *   nearest?: Nearest | null, finished?: boolean, flat?: boolean}} Answer
 */

export {};
