"""The database's history, forward only; see versions/."""
