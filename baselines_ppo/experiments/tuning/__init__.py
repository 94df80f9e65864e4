"""Searching for better settings: what is tried, how each trial goes, what has come of all."""
