"""Code that others have published, as candidates: documentation, LEAN's algorithms, folders."""
