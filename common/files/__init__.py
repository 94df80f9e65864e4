"""Files that are whole or not there: checkpoints, agents, logs."""
