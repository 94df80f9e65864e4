"""Trained agents at work: acting, scored, played, filmed, raced, steered."""
