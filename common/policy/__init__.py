"""The actor-critic: what it sees, how it computes, what it does."""
