"""The version of this package, and what it may be used for."""

from importlib.metadata import version

VERSION = version("hemozoin")

DISCLAIMER = "Research use only. Not a medical device."
