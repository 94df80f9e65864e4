"""Kinds of spaces, one by one; `actions` and `observations` beside this folder put them together."""
