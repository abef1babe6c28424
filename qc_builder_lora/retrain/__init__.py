"""When to train, on what, and how: recipes, batches, loss, runs."""
