"""The walls around code that a language model wrote."""
