"""Fresh databases of both kinds, as the tests of the store have them."""

from tests.store.conftest import databases, kind, migrated_file, postgres, store, url

__all__ = ["databases", "kind", "migrated_file", "postgres", "store", "url"]
