"""One file a revision, never edited once released. A new one also goes into `revisions.py`."""
