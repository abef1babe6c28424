"""Take what the builder made, clean it, keep it; corpora; snapshots."""
