"""A process that reads what it is asked, and never answers."""

from __future__ import annotations

import sys
import time


def main() -> int:
    """Wait until standard input is closed, and then for ever."""
    sys.stdin.read()
    while True:
        time.sleep(60)
