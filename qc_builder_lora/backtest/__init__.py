"""Engines behind one Backtester protocol, and the sandbox that holds the code they run."""
