"""Which hemozoin this is."""

from importlib.metadata import version

VERSION = version("hemozoin")
