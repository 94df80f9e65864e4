"""The environments that an agent acts in, the same for all commands: tried out, treated as in training, and checked."""

from __future__ import annotations

import sys

from baselines_ppo.common.envs.backend_contract import Backend
from baselines_ppo.common.envs.backends import SerialBackend, make_backend
from baselines_ppo.common.envs.make import EnvironmentSpec, MakeEnvironment
from baselines_ppo.common.envs.trial import Trial, try_out_spec
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.policy.fit import check_spaces


def found_out(agent: Agent, spec: EnvironmentSpec) -> Trial:
    """Return how environments of a spec are treated, once it is said what the agent's user must know of it.

    Raises:
      UsageError: none can be made, or two are the same object.
    """
    trial = try_out_spec(spec)
    sys.stderr.write("".join(f"{line}\n" for line in trial.to_policy(agent.policy.network.masked).told))
    return trial


def backend_for(agent: Agent, spec: EnvironmentSpec, rows: int = 1, trial: Trial | None = None) -> Backend:
    """Return environments for an agent to act in; none has begun.

    Args:
      trial: of such an environment; None: it is tried out here.

    Raises:
      UsageError: the environment, a wrapper or a space is not supported.
      LoadError: it has other spaces than the agent.
    """
    treatment = (trial or found_out(agent, spec)).treatment
    backend = make_backend(spec, rows, treatment, taken_for=agent.policy.network.observation)
    _check(agent, spec, backend)
    return backend


def seen_backend_for(agent: Agent, spec: EnvironmentSpec, make: MakeEnvironment) -> SerialBackend:
    """Return one environment for an agent to act in that can be seen; see `backend_for`.

    Args:
      make: makes one of the spec's in the form that is seen; each episode may have a new one, see `Treatment`.
    """
    treatment, taken_for = found_out(agent, spec).treatment, agent.policy.network.observation
    backend = SerialBackend(make, 1, spec.env_id, treatment, taken_for=taken_for)
    _check(agent, spec, backend)
    return backend


def _check(agent: Agent, spec: EnvironmentSpec, backend: Backend) -> None:
    """Check that an agent sees and does what there is to be seen and done; closes the environments where not.

    Raises:
      LoadError: they have other spaces than the agent; names what differs.
    """
    network, found = agent.policy.network, (backend.observation, backend.action)
    try:
        check_spaces(agent.path, agent.env_id, (network.observation, network.action), found, spec.env_id)
    except Exception:
        backend.close()
        raise
