"""`python -m qc_builder_lora.cli`: the same as the console script."""

from qc_builder_lora.cli import main

main()
