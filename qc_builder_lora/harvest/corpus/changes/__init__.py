"""Change pairs: a strategy, what is to be different in it, and the whole file afterwards."""
