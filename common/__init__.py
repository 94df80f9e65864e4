"""What every algorithm uses: here PPO itself, over MPI, in reading order; around it, in rooms, what it stands on.

Collecting: rollout, values, gae, batch, minibatches.
Learning: losses, gradient, adam, minibatch_loop; natural_gradient, adaptive_kl; shards, programs.
Ranks: mpi, ending. The ground: failures, seeding, moments.
Rooms: policy (the agent's networks and spaces), files (checkpoints, agents, logs), job (what keeps ranks alive),
screen (the live table and the lines), trackers (TensorBoard and others), envs (environments, made, stepped, played).
"""
