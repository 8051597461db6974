"""A process that screens or recounts one slide for the server.

The code is that of `hemozoin screen` and `hemozoin recount`.

It reads what to do from standard input, as JSON in one line, and ends as soon as standard input
is closed: so it never outlives the server, however that ends. An error is one line of JSON on
standard output.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from threading import Thread
from typing import Any

from hemozoin.errors import HemozoinError
from hemozoin.review.recount import recount_slide, with_reviews
from hemozoin.serve.work.process import give_way
from hemozoin.smear.execution.run import ScreenConfig, screen_slides
from hemozoin.smear.execution.settings import screen_settings
from hemozoin.smear.output.folder import differing_settings


def main() -> int:
    """Screen or recount the slide and return the exit code: 0, or 2 after an error."""
    order = json.loads(sys.stdin.readline())
    Thread(target=_end_with_server, daemon=True).start()
    give_way()
    try:
        if "recount" in order:
            recount_slide(Path(order["recount"]))
        else:
            _screen(order)
    except (HemozoinError, OSError) as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 2
    return 0


def _screen(order: dict[str, Any]) -> None:
    """Screen a slide, anew where other settings were used, and count it with its reviews."""
    config = ScreenConfig(order["model"], coco=True, scheduler=order["scheduler"])
    pictures, out = [Path(order["pictures"])], Path(order["out"])
    anew = bool(differing_settings(out, screen_settings(config.model)))
    with_reviews(screen_slides(pictures, out, config, overwrite=anew), out)


def _end_with_server() -> None:
    sys.stdin.read()
    os._exit(1)
