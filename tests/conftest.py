"""What holds for all tests, wherever they are started from.

The strategies are ours, so they may run where no wall can be had; elsewhere the waiver changes
nothing, and the tests of the wall take it back. Signals mean what they mean on a terminal: a shell
that starts the tests in the background has them ignored, and every child would inherit that.
"""

import os
import signal

os.environ.setdefault("QC_LORA_ALLOW_OPEN_SANDBOX", "1")
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
