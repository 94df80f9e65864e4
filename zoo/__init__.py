"""Environments, robots and pretrained agents; knows the policies of `common`, but no learner."""
