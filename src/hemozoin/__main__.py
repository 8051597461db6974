"""`python -m hemozoin`: the command line, also for torchrun."""

import sys

from hemozoin.cli.main import main

sys.exit(main())
