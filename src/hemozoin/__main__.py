"""`python -m hemozoin`, as torchrun starts it."""

import sys

from hemozoin.cli import main

sys.exit(main())
