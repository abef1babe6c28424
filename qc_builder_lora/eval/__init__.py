"""Score, pair, decide, report."""
