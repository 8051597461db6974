"""A command that is killed, or finds the disk full, and is given again: it ends as if undisturbed.

Some of the changes to the disk are tried here. `python -m tests.fuzz --kind kills` tries all.
"""

from __future__ import annotations

import pytest

from tests.fuzz.kills import COMMANDS, Disturbed
from tests.support.killing import Fault

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory) -> Disturbed:
    folder = tmp_path_factory.mktemp("disturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOZOIN_CACHE", str(folder / "cache"))
        return Disturbed(folder)


@pytest.mark.parametrize("fault", ["killed", "full"])
@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_given_again_ends_as_if_undisturbed(
    name: str, fault: Fault, disturbed: Disturbed
) -> None:
    _, faults = disturbed.undisturbed(name)
    for at in chosen(faults[fault], COMMANDS[name].tries):
        disturbed.disturb(name, fault, at)


def chosen(count: int, tries: int) -> list[int]:
    """Return the numbers of the changes to try, out of 1 to `count`: the first, the last, ..."""
    if count <= tries:
        return [*range(1, count + 1)]
    return sorted({1 + round(k * (count - 1) / (tries - 1)) for k in range(tries)})
