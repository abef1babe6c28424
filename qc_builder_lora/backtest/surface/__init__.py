"""LEAN's Python surface, as a strategy sees it; lives in the strategy's own process.

Only the standard library and this folder are imported here: the process that runs a strategy has
nothing else on its path, and holds no market data beyond its clock, no cash that counts and no
statistics. Those live in `backtest/simulator`, at the other end of the channel (`wire`).
"""
