"""The commands: `python -m baselines_ppo.run [COMMAND] ...`; without the name of one, it trains."""
