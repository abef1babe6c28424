"""Formulaic alphas: a small language, its values on a panel, and LEAN strategies that trade it.

The language is that of "101 Formulaic Alphas" (arXiv:1601.00991): the paper's formulas are read
from the user's own copy of it, never from here. Alphas of our own are drawn in the same language.
"""
