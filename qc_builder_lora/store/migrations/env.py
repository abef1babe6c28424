"""What Alembic runs: the migrations, on the connection and in the transaction we give it."""

from __future__ import annotations

from alembic import context

from qc_builder_lora.store.revisions import VERSION_TABLE
from qc_builder_lora.store.tables import Base

# Without it Alembic would commit each step on SQLite, and a failed upgrade would stay half done.
_ALL_OR_NOTHING = True

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=_ALL_OR_NOTHING,
)
with context.begin_transaction():
    context.run_migrations()
