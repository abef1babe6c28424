"""`self.notify`: messages that LEAN sends in live trading alone; in a backtest none is sent."""

from __future__ import annotations

from typing import Any

from .alias import both_styles
from .known import Lean


@both_styles
class NotificationManager(Lean):
    """Each way of sending says False, as LEAN's does where nothing was sent."""

    def email(self, *message: Any, **named: Any) -> bool:
        return False

    def sms(self, *message: Any, **named: Any) -> bool:
        return False

    def web(self, *message: Any, **named: Any) -> bool:
        return False

    def telegram(self, *message: Any, **named: Any) -> bool:
        return False

    def ftp(self, *message: Any, **named: Any) -> bool:
        return False

    def sftp(self, *message: Any, **named: Any) -> bool:
        return False
