"""Hemozoin: MobileNet (Howard et al. 2017) for malaria detection. Research use only."""

from importlib.metadata import version

__version__ = version("hemozoin")
