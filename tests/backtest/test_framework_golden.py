"""The framework's models on LEAN's data: the figures that LEAN published for its own algorithms.

Each strategy in `golden/` is our own, of the same behaviour as the LEAN algorithm named beside it.
LEAN has changed some figures since they were published, and some of those are left out below:
Probabilistic Sharpe Ratio now subtracts the risk-free rate; of the risk parity algorithm only an
older version's figures are known, whose daily bars ended at midnight. The figures for all else are
LEAN's to the printed digit.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

PUBLISHED = {
    # MeanReversionPortfolioAlgorithm
    "framework_reversion": {
        "Total Orders": "60",
        "Average Win": "1.88%",
        "Average Loss": "-0.79%",
        "Compounding Annual Return": "8.069%",
        "Drawdown": "11.900%",
        "Expectancy": "0.748",
        "Start Equity": "100000",
        "End Equity": "103872.25",
        "Net Profit": "3.872%",
        "Sharpe Ratio": "0.349",
        "Sortino Ratio": "0.375",
        "Loss Rate": "48%",
        "Win Rate": "52%",
        "Profit-Loss Ratio": "2.37",
        "Alpha": "-0.085",
        "Beta": "1.234",
        "Annual Standard Deviation": "0.238",
        "Annual Variance": "0.057",
        "Information Ratio": "-0.331",
        "Tracking Error": "0.16",
        "Treynor Ratio": "0.067",
        "Total Fees": "$114.36",
        "Estimated Strategy Capacity": "$700000000.00",
        "Lowest Capacity Asset": "AAPL R735QTJ8XC9X",
        "Portfolio Turnover": "18.24%",
        "Drawdown Recovery": "63",
        "OrderListHash": "22337335b8bbfb4fc1093879c3ddd4d8",
    },
    # AccumulativeInsightPortfolioRegressionAlgorithm
    "framework_accumulative": {
        "Total Orders": "199",
        "Average Win": "0.00%",
        "Average Loss": "0.00%",
        "Compounding Annual Return": "-12.611%",
        "Drawdown": "0.200%",
        "Expectancy": "-0.585",
        "Start Equity": "100000",
        "End Equity": "99827.80",
        "Net Profit": "-0.172%",
        "Sharpe Ratio": "-11.13",
        "Sortino Ratio": "-16.704",
        "Loss Rate": "78%",
        "Win Rate": "22%",
        "Profit-Loss Ratio": "0.87",
        "Alpha": "-0.156",
        "Beta": "0.035",
        "Annual Standard Deviation": "0.008",
        "Annual Variance": "0",
        "Information Ratio": "-9.603",
        "Tracking Error": "0.215",
        "Treynor Ratio": "-2.478",
        "Total Fees": "$199.00",
        "Estimated Strategy Capacity": "$26000000.00",
        "Lowest Capacity Asset": "SPY R735QTJ8XC9X",
        "Portfolio Turnover": "119.89%",
        "OrderListHash": "d06c26f557b83d8d42ac808fe2815a1e",
    },
    # MacdAlphaModelFrameworkRegressionAlgorithm
    "framework_macd_universes": {
        "Total Orders": "29",
        "Average Win": "0.36%",
        "Average Loss": "-0.49%",
        "Compounding Annual Return": "30.410%",
        "Drawdown": "1.800%",
        "Expectancy": "0.335",
        "Start Equity": "100000",
        "End Equity": "102206.31",
        "Net Profit": "2.206%",
        "Sharpe Ratio": "3.159",
        "Sortino Ratio": "5.45",
        "Loss Rate": "23%",
        "Win Rate": "77%",
        "Profit-Loss Ratio": "0.73",
        "Alpha": "0.275",
        "Beta": "-0.371",
        "Annual Standard Deviation": "0.065",
        "Annual Variance": "0.004",
        "Information Ratio": "0.14",
        "Tracking Error": "0.091",
        "Treynor Ratio": "-0.55",
        "Total Fees": "$65.88",
        "Estimated Strategy Capacity": "$7500000.00",
        "Lowest Capacity Asset": "AIG R735QTJ8XC9X",
        "Portfolio Turnover": "16.15%",
        "OrderListHash": "028da9558692fed9991723beeb8eeb23",
    },
    # RiskParityPortfolioAlgorithm
    "framework_risk_parity": {
        "Total Orders": "31",
        "Average Win": "0.01%",
        "Average Loss": "-0.01%",
        "Drawdown": "4.900%",
        "Expectancy": "-0.273",
        "Net Profit": "0.510%",
        "Sharpe Ratio": "0.265",
        "Sortino Ratio": "0.371",
        "Loss Rate": "58%",
        "Win Rate": "42%",
        "Profit-Loss Ratio": "0.75",
        "Alpha": "-0.092",
        "Beta": "1.22",
        "Annual Standard Deviation": "0.2",
        "Annual Variance": "0.04",
        "Information Ratio": "-0.748",
        "Tracking Error": "0.088",
        "Treynor Ratio": "0.043",
        "Total Fees": "$31.65",
        "Portfolio Turnover": "3.08%",
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_figure_comes_out(name: str, lean: Simulator) -> None:
    code = (Path(__file__).parent / "golden" / f"{name}.py").read_text()
    result = lean.run(code)
    assert result.status is BacktestStatus.COMPLETED, result.reason
    published = PUBLISHED[name]
    assert {key: result.statistics.get(key) for key in published} == published
