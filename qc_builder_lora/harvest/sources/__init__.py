"""Strategies from elsewhere than a running builder: accounts, results, checkouts, files."""
