"""Strategies of our own, family by family, each with instructions in several styles."""
