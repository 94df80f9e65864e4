"""Windows, films, replays and pages."""
