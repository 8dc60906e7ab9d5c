"""`python -m hil.cli`, for where the command is not on the path."""

import sys

from hil.cli import main

sys.exit(main())
