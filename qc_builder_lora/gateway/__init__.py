"""OpenAI-compatible HTTP in front of the chain."""
