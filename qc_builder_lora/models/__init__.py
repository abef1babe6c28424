"""Sources of strategies behind one Writer protocol: hosted, local, and the fallback chain."""
