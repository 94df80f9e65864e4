"""What every algorithm uses, in reading order.

Collecting and learning: rollout, gae, batch, minibatches, losses, optimizer.
The agent: policy, networks, distributions, arrays, normalizer, spaces, agent.
The world: envs, vec_env, seeding.
The job: mpi, ending, signals, launcher, threads, tensorflow_start, failures.
What is kept: checkpoint, run_folder, logger.
"""
