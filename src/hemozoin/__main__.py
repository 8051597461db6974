"""`python -m hemozoin`, as torchrun starts it."""

import sys

from hemozoin.cli.main import main

sys.exit(main())
