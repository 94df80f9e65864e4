"""Environments: made, tried out, checked, stepped."""
