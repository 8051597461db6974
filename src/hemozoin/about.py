"""The version of this package, and what it may be used for."""

VERSION = "0.2.0"

DISCLAIMER = "Research use only. Not a medical device."
