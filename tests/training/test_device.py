"""Memory that is freed stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PAGES_OF_THE_LAST_ALLOCATION = """
import resource, torch
from hemozoin.training.device import keep_freed_memory
{first}
for _ in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.ones(12 * 2**20) for _ in range(2)]  # of 48 MB; glibc adapts to 32 MB by itself
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc returns such blocks")
def test_freed_memory_is_used_again_without_the_system() -> None:
    def pages(first: str) -> int:
        code = PAGES_OF_THE_LAST_ALLOCATION.format(first=first)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return int(done.stdout)

    assert pages("keep_freed_memory()") * 4 < pages("")
