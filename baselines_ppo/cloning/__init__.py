"""Behaviour cloning: a policy and its value function fitted to demonstrations, for PPO to begin with."""
