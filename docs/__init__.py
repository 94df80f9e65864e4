"""Pages of documentation, and what makes those that are not typed."""
