"""What every algorithm uses, in reading order.

rollout (collects), gae, losses, optimizer (learns); policy, networks, distributions, normalizer (the agent);
envs, vec_env, spaces (the world); mpi, ending, signals (the job); checkpoint, run_folder, logger, agent (what
is kept); minibatches, seeding, failures, threads (small things).
"""
