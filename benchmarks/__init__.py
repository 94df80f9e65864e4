"""Measured results: a JSON record for each run, and the tables that are made of them."""
