"""What is written over the array functions is a graph that computes the same: spaces of every kind, own networks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baselines_ppo import Network, Parameter, export
from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.common.policy.networks import NETWORKS
from baselines_ppo.run.exporting.onnx_arrays import ONNX, Graph
from tests.any_space import ANY, Space, float_boxes, whole_boxes, within
from tests.conftest import ROOT
from tests.exporting import cases

onnxruntime = pytest.importorskip("onnxruntime")

BOX = spaces.Box(-1.0, 1.0, (4,), np.float32)
TWO = spaces.Discrete(2)
SINGLE = st.one_of(
    float_boxes(),
    whole_boxes(),
    st.integers(-9, 9).map(lambda start: spaces.Discrete(3, start=start)),
    st.just(spaces.MultiDiscrete(np.array([[2, 3], [4, 5]]), start=np.array([[0, 1], [-2, 3]]))),
    st.just(spaces.MultiBinary((2, 3))),
)
ACTIONS = st.recursive(
    SINGLE,
    lambda inner: (
        st.dictionaries(st.sampled_from(["arm", "odd name", "z"]), inner, min_size=1).map(spaces.Dict)
        | st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple)
    ),
    max_leaves=3,
)
MANY = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

# All that networks may do, with numbers for which a wrong axis or order shows.
OWN = """
import numpy as np
from baselines_ppo import Network, Parameter

def everything(observation_shape, settings):
    size = observation_shape[0]
    parameters = [Parameter("w", (size, 6), gain=1.4), Parameter("b", (6,), start=0.3)]

    def encode(xp, p, x):
        x = xp.asarray(x, np.float32)
        y = xp.tanh(x @ p["w"] + p["b"])
        z = xp.maximum(xp.minimum(y, 0.5), -0.5) * xp.exp(-xp.abs(y)) / (1.0 + y * y)
        z = xp.where(z > 0.1, xp.log(1.0 + xp.abs(z)), 2.0 - z) - np.float32(0.5) * z
        spread = z - xp.max(z, axis=-1, keepdims=True) + xp.sum(z, axis=-1)[:, None]
        pairs = xp.reshape(spread, [-1, 3, 2])
        return xp.concatenate([pairs[:, 0], pairs[:, ::2, 1], -pairs[..., -1], z[:, 1:5:3]], axis=-1)

    return Network(parameters, 9, encode)
"""


def session_of(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options)


@MANY
@given(st.data())
def test_any_observation_leads_to_the_same_action_of_any_kind(tmp_path_factory: Any, data: st.DataObject) -> None:
    seen: Space = data.draw(ANY)
    done: Space = data.draw(ACTIONS)
    folder = tmp_path_factory.mktemp("any")
    if any(not np.prod(part.shape or (1,)) for part in (seen, done)):
        return
    path = cases.random_agent(folder, "Any-v0", seen, done, masks_in_info=data.draw(st.booleans()))
    draw: Any = data.draw
    observations, agent = [within(draw, seen) for _ in range(3)], load_agent(path)
    masks = [cases.drawn_mask(done, np.random.default_rng(0), 3)] if agent.policy.network.masked else None
    try:
        case = cases.acted(agent, [stacked(observations)], masks)
    except DataError as refused:  # a float64 may be anything
        assert "beyond what float32 holds" in str(refused)
        return
    session, kinds = session_of(export(path, folder / "out").path), singles(done)
    actions = session.run(list(kinds), {name: x[0] for name, x in case.given.items()})
    for (name, kind), action in zip(kinds.items(), actions, strict=True):
        the_same(kind, action, case.expected[name][0])


def singles(done: Space, name: str = "action") -> dict[str, Space]:
    """Return the spaces within a space of actions, by the names of the outputs."""
    if not isinstance(done, spaces.Dict | spaces.Tuple):
        return {name.replace(" ", "_"): done}
    parts: Any = done.spaces.items() if isinstance(done, spaces.Dict) else enumerate(done.spaces)
    return {inner: kind for key, part in parts for inner, kind in singles(part, f"{name}_{key}").items()}


def the_same(kind: Space, action: np.ndarray, expected: np.ndarray) -> None:
    """Check actions [n, ...] of one kind."""
    assert (action.shape, action.dtype) == (expected.shape, expected.dtype)
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(action, expected, rtol=1e-5, atol=1e-5)
    elif isinstance(kind, spaces.Box):  # the wider the range, the more a last bit of the network's moves
        width = kind.high.astype(float) - kind.low.astype(float)
        assert (np.abs(action.astype(float) - expected.astype(float)) <= np.floor(1e-4 * width)).all()
    else:
        np.testing.assert_array_equal(action, expected)


def stacked(observations: list[Any]) -> Any:
    """Return observations as a batch."""
    first = observations[0]
    if isinstance(first, dict):
        return {name: stacked([each[name] for each in observations]) for name in first}
    if isinstance(first, tuple):
        return tuple(stacked([each[k] for each in observations]) for k in range(len(first)))
    return np.stack(observations)


def test_a_network_of_ones_own_is_exported_without_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    code = """
import sys
import numpy as np
from gymnasium import spaces
from pathlib import Path
from baselines_ppo.common.policy.networks import find_network
from baselines_ppo.run.cli import main
from tests.exporting import cases
find_network("mine:everything")
cases.random_agent(Path("agents"), "Own-v0", spaces.Box(-1, 1, (4,)), spaces.Box(-1, 1, (2,)), "mine:everything")
code = main(["export", "agents/Own-v0", "--out", "out", "--network", "mine:everything"])
assert (code, 'tensorflow' in sys.modules) == (0, False)
from baselines_ppo import load
seen = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
np.savez("acted.npz", seen=seen, done=load("agents/Own-v0").act(seen))
"""
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "XDG_CONFIG_HOME": str(tmp_path), "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "inputs: observation [n, 4] float32\n" in ran.stdout
    with np.load(tmp_path / "acted.npz") as acted:
        (action,) = session_of(tmp_path / "out" / "policy.onnx").run(["action"], {"observation": acted["seen"]})
        np.testing.assert_allclose(action, acted["done"], rtol=0, atol=1e-5)


def test_nodes_that_nothing_depends_on_are_left_out() -> None:
    graph = Graph()
    x = graph.given("x", (3,), np.dtype(np.float32))
    y = ONNX.tanh(x)
    ONNX.exp(x)
    assert [node.operator for node in graph.needed([y.name])] == ["Tanh"]
    assert (y.shape, y.dtype) == ((None, 3), np.float32)


def test_a_network_that_is_another_one_as_a_graph_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_faced = Network([Parameter("w", (1,))], 4, lambda xp, p, x: x if isinstance(x, np.ndarray) else -x)
    monkeypatch.setitem(NETWORKS, "two-faced", lambda shape, settings: two_faced)
    agent = cases.random_agent(tmp_path / "agents", "Odd-v0", BOX, BOX, "two-faced")
    with pytest.raises(
        UsageError, match=r"Odd-v0 cannot be written as onnx: ValueError: it would do \[.*\], where the agent does \["
    ):
        export(agent, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["agents"]


def test_what_a_network_may_not_do_is_said_in_a_line_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waves = Network([Parameter("unused", (1,))], 4, lambda xp, parameters, x: np.sin(x))
    monkeypatch.setitem(NETWORKS, "waves", lambda shape, settings: waves)
    agent = cases.random_agent(tmp_path / "agents", "Odd-v0", BOX, TWO, "waves")
    with pytest.raises(UsageError, match=r"Odd-v0 cannot be written as onnx: TypeError: .*ufunc"):
        export(agent, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["agents"]
