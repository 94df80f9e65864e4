"""What robots are to do."""
