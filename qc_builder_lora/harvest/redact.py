"""The former place of `qc_builder_lora.redact`."""

from qc_builder_lora.redact import KINDS, Redactor

__all__ = ["KINDS", "Redactor"]
