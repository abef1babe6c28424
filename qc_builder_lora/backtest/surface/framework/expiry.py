"""`Expiry.END_OF_MONTH` and its like: from a moment to the moment at which something ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..known import Lean


def _months_after(moment: datetime, months: int) -> datetime:
    month = moment.month - 1 + months
    year, month = moment.year + month // 12, month % 12 + 1
    following = datetime(year + month // 12, month % 12 + 1, 1)
    day = min(moment.day, (following - timedelta(days=1)).day)
    return moment.replace(year=year, month=month, day=day)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


class Expiry(Lean):
    """Functions that strategies pass on; both spellings are one object."""

    @staticmethod
    def one_month(moment: datetime) -> datetime:
        return _months_after(moment, 1)

    @staticmethod
    def one_quarter(moment: datetime) -> datetime:
        return _months_after(moment, 3)

    @staticmethod
    def one_year(moment: datetime) -> datetime:
        return _months_after(moment, 12)

    @staticmethod
    def end_of_day(moment: datetime) -> datetime:
        return _midnight(moment) + timedelta(days=1)

    @staticmethod
    def end_of_week(moment: datetime) -> datetime:
        """Midnight before the next Monday."""
        return _midnight(moment) + timedelta(days=7 - moment.weekday())

    @staticmethod
    def end_of_month(moment: datetime) -> datetime:
        return _midnight(_months_after(moment.replace(day=1), 1))

    @staticmethod
    def end_of_quarter(moment: datetime) -> datetime:
        first = moment.replace(month=(moment.month - 1) // 3 * 3 + 1, day=1)
        return _midnight(_months_after(first, 3))

    @staticmethod
    def end_of_year(moment: datetime) -> datetime:
        return datetime(moment.year + 1, 1, 1)


for _name in [item for item in vars(Expiry) if item[0].islower()]:
    _function = staticmethod(getattr(Expiry, _name))
    setattr(Expiry, _name.upper(), _function)
    setattr(Expiry, "".join(part.capitalize() for part in _name.split("_")), _function)
