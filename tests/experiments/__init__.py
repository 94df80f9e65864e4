"""Runs found, grouped, drawn, compared and reported."""
