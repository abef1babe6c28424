"""The engine of a name, made from the settings: the only place that knows all three."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qc_builder_lora.backtest.protocol import Backtester
from qc_builder_lora.config import Settings

if TYPE_CHECKING:
    from qc_builder_lora.backtest.quantconnect.account import Account


class Engine(Backtester, Protocol):
    """A Backtester that holds something: processes, connections."""

    def close(self) -> None:
        """Let go of it."""
        ...


def make_engine(settings: Settings, name: str | None = None) -> Engine:
    """The engine of that name, default the configured one. Nothing is started or asked yet."""
    name = name or settings.engine
    if name == "quantconnect":
        from qc_builder_lora.backtest.quantconnect import QuantConnect
        from qc_builder_lora.backtest.quantconnect.patience import Pace

        return QuantConnect(
            settings.quantconnect_user,
            settings.quantconnect_token,
            settings.home,
            project=settings.quantconnect_project,
            organization=settings.quantconnect_organization,
            clean=settings.quantconnect_clean,
            url=settings.quantconnect_url,
            pace=Pace(deadline_s=settings.backtest_deadline_s),
        )
    if name == "lean":
        from qc_builder_lora.backtest.lean_cli import LeanCli

        return LeanCli(
            settings.home.absolute(),
            command=settings.lean_command,
            workspace=settings.lean_workspace,
            data=settings.data,
            deadline_s=settings.backtest_deadline_s,
        )
    from qc_builder_lora.backtest.simulator import Simulator

    return Simulator(market_data(settings), allow_open_sandbox=settings.allow_open_sandbox)


def quantconnect_account(settings: Settings) -> Account:
    """The account of the credentials; EngineUnavailable where there are none, or wrong ones."""
    from qc_builder_lora.backtest.quantconnect import QuantConnect

    engine = make_engine(settings, "quantconnect")
    assert isinstance(engine, QuantConnect)
    engine.check()
    return engine.account


def ready_engine(settings: Settings, name: str | None = None) -> Engine:
    """The same, or EngineUnavailable or SandboxUnavailable where it could only say unknown."""
    from qc_builder_lora.backtest.lean_cli import LeanCli
    from qc_builder_lora.backtest.quantconnect import QuantConnect
    from qc_builder_lora.backtest.simulator import Simulator

    engine = make_engine(settings, name)
    if isinstance(engine, Simulator):
        engine.check_sandbox()
    if isinstance(engine, QuantConnect | LeanCli):
        engine.check()
    return engine


def market_data(settings: Settings) -> Path:
    """The LEAN data folder in force; the sample data is converted first where none was named."""
    from qc_builder_lora.backtest.sample_data import ensure_data

    return ensure_data(settings)
