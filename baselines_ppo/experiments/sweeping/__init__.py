"""A sweep: what is in it, which runs that makes, what is remembered and shown of them."""
