"""``python -m balas``: the same as the command ``balas``."""

import sys

from balas.cli import main

sys.exit(main())
