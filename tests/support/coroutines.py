"""Run a coroutine in a test, also while a browser is open.

Playwright keeps an event loop in the thread of the tests, where asyncio starts no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_Value = TypeVar("_Value")


def run(coroutine: Coroutine[Any, Any, _Value]) -> _Value:
    """Return what a coroutine returns, run in a thread of its own."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()
