"""The store: the only place that speaks SQL. SQLite by default, PostgreSQL by URL.

`Store.open(url)` gives one attribute a noun: `store.builds.add(record)`, `store.models.get(id)`.
"""

from qc_builder_lora.store.leases import Lease
from qc_builder_lora.store.store import Store

__all__ = ["Lease", "Store"]
