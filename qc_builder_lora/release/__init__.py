"""Adapter to GGUF, quantise, parity gate, promote, roll back."""
