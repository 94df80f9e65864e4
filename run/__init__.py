"""The commands: `python -m baselines_ppo.run [train|evaluate|play] ...`."""
