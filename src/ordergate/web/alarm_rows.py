"""How the rows of the alarms follow from the state. Pure."""

from __future__ import annotations

from ordergate.core.account import Group
from ordergate.core.alarm import Alarm
from ordergate.core.alarms import is_open, stands
from ordergate.core.sessions import utc_text
from ordergate.web.rows import AlarmRow


def alarm_rows(group: Group) -> dict[str, AlarmRow]:
    """The open alarms by their id, the oldest first."""
    rows = (_row(group, alarm) for alarm in group.alarms if is_open(group, alarm))
    return {row.alarm_id: row for row in rows}


def _row(group: Group, alarm: Alarm) -> AlarmRow:
    instrument = group.instruments.get(alarm.contract_id or "")
    about = (alarm.code, alarm.account_id or "", alarm.contract_id, alarm.order_id)
    return AlarmRow(
        alarm_id="/".join(str(part) for part in about if part),
        number=alarm.number,
        code=alarm.code,
        level=alarm.level,
        message=alarm.message,
        account_id=alarm.account_id or None,
        order_id=alarm.order_id,
        instrument=None if instrument is None else instrument.symbol,
        count=alarm.count,
        first_at=_instant(alarm.first_ns),
        at=_instant(alarm.at_ns),
        stands=stands(group, alarm),
        acknowledged=alarm.acknowledged,
        open=True,
    )


def _instant(at_ns: int) -> str | None:
    return utc_text(at_ns) if at_ns else None
