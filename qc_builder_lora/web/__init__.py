"""The page on which a person reads a report and decides."""
