"""A job of several ranks: started, watched, stopped."""
