"""Error-fix pairs: good code broken as models break it, proven to fail; and mended builds."""
