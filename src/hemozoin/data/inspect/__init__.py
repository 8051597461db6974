"""What a data set holds, before anyone trains on it: `hemozoin inspect`."""
