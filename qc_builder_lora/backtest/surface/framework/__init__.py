"""LEAN's algorithm framework as a strategy sees it: alpha, portfolio, execution, risk, universe.

The models run in the strategy's own process and trade through the same orders as any strategy
does; nothing here counts money. What needs fundamentals, constituents or chains is not modelled.
`from Alphas.EmaCrossAlphaModel import EmaCrossAlphaModel` gives what `AlgorithmImports` gives.
"""
