"""What holds for all tests: the strategies are ours, so they may run where no wall can be had.

Elsewhere the waiver changes nothing. The tests of the wall take it back.
"""

import os

os.environ.setdefault("QC_LORA_ALLOW_OPEN_SANDBOX", "1")
