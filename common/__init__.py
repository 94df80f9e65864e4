"""What every algorithm uses, in reading order.

Collecting and learning: rollout, gae, batch, minibatches, losses, adam, gradient, minibatch_loop, adaptive_kl, natural_gradient.
The agent: policy, actor_critic, networks, layers, recurrence, parameters, distributions, arrays, normalizer, agent.
The world: envs, backends, vec_env, observations, actions, seeding.
The job: mpi, ending, signals, launcher, threads, tensorflow_start, failures.
What is kept: checkpoint, run_folder, logger.
"""
