"""Hemozoin: MobileNet for malaria detection."""
