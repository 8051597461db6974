"""The command line: `hemozoin VERB`."""
