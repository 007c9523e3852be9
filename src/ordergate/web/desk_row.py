"""How the desk's own row follows from the state: what it is, what it holds orders to, who has paused it. Pure."""

from __future__ import annotations

from ordergate import __version__
from ordergate.core.account import Group
from ordergate.core.sessions import utc_text
from ordergate.web.rows import CheckRow, DeskRow, LimitsRow, Mode, ModesRow, PausedRow

SIMULATED_VENUE = "sim"


def desk_row(group: Group, trouble: str = "") -> DeskRow:
    limits, modes = group.limits, group.modes
    return DeskRow(
        mode=_mode(group),
        venue=group.venue,
        login=group.login,
        version=__version__,
        link_up=group.link_up,
        link_reason="" if group.link_up else group.link_reason,
        trouble=trouble,
        limits=LimitsRow(
            max_order_size=limits.order_quantity_max,
            max_position_size=limits.position_quantity_max,
            max_open_orders=limits.open_orders_max,
            max_daily_loss=limits.daily_loss_usd_max,
            max_risk_percent=limits.risk_percent_max,
            default_risk_reward=limits.risk_reward_ratio,
        ),
        modes=ModesRow(
            shadow=modes.shadow,
            intercept_orders=modes.intercept,
            preserve_original_workflow=modes.preserve,
            enable_risk_validation=modes.validate,
            enable_sltp_calculation=modes.default_bracket,
            enforcing=modes.enforcing,
            unasked=modes.unasked,
        ),
        paused=None
        if group.paused_by is None
        else PausedRow(group.paused_by.value, utc_text(group.paused_ns), group.paused_reason),
        checks=tuple(CheckRow(name, check.text, check.well) for name, check in sorted(group.checks.items())),
    )


def _mode(group: Group) -> Mode:
    modes = group.modes
    if modes.shadow:
        return Mode.SHADOW
    if not modes.asks_limits:
        return Mode.PASS_THROUGH
    if modes.preserve:
        return Mode.ADVISORY
    return Mode.SIM if group.venue == SIMULATED_VENUE else Mode.LIVE
