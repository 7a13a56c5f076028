"""`python -m brainfm` is the command `brainfm`."""

import sys

from brainfm.cli import main

sys.exit(main())
