"""What `export` writes beside the policy, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces

from baselines_ppo import export, load
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files import strict_json
from baselines_ppo.run.cli import main
from tests.exporting import cases

AGENT = "zoo:CartPole-v1"


def test_the_file_says_what_it_is_and_what_it_takes_and_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path, description = export(AGENT, tmp_path / "out")
    assert path == tmp_path / "out" / "policy.onnx"
    assert strict_json.parsed((tmp_path / "out" / "policy.json").read_text()) == description
    assert description["environment"] == "CartPole-v1"
    assert description["agent_sha256"] == json.loads((load(AGENT).path / "manifest.json").read_text())["sha256"]
    assert description["action_space"]["kind"] == "discrete"
    session = onnxruntime.InferenceSession(path)
    assert json.loads(session.get_modelmeta().custom_metadata_map["baselines_ppo"]) == description
    types = {"tensor(float)": "float32", "tensor(int64)": "int64"}
    for side, values in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
        found = [(value.name, types[value.type], [None, *value.shape[1:]]) for value in values]
        assert found == [(each["name"], each["dtype"], each["shape"]) for each in description[side]]
    assert main(["export", AGENT, "--out", str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out.endswith(
        "inputs: observation [n, 4] float32\noutputs: action [n] int64, logits [n, 2] float32\n"
    )
    assert (tmp_path / "again" / "policy.onnx").read_bytes() == path.read_bytes()


def test_masks_and_parts_of_an_action_have_names_and_what_is_forbidden_is_not_done(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    box, masks = spaces.Box(-1.0, 1.0, (4,), np.float32), spaces.Dict({"hand": spaces.MultiBinary(3)})
    done = spaces.Dict({"hand": spaces.Discrete(3, start=5), "to.go": spaces.Tuple((spaces.Box(-1.0, 1.0, (2, 1)),))})
    agent = cases.random_agent(tmp_path, "Crane", spaces.Dict({"observation": box, "action_mask": masks}), done)
    path, description = export(agent, tmp_path / "out")
    found = [
        [(each["name"], each.get("part"), each["dtype"], each["shape"]) for each in description[side]]
        for side in ("inputs", "outputs")
    ]
    assert found == [
        [
            ("observation_observation", "observation", "float32", [None, 4]),
            ("observation_action_mask_hand", "action_mask.hand", "int8", [None, 3]),
        ],
        [
            ("action_hand", "hand", "int64", [None]),
            ("action_to_go_0", "to.go.0", "float32", [None, 2, 1]),
            ("logits_hand", "hand", "float32", [None, 3]),
            ("mean_to_go_0", "to.go.0", "float32", [None, 2]),
            ("log_std_to_go_0", "to.go.0", "float32", [None, 2]),
        ],
    ]
    session, mask = onnxruntime.InferenceSession(path), np.eye(3, dtype=np.int8)  # one choice is left in each row
    observations = np.full((3, 4), 0.5, np.float32)
    given = {"observation_observation": observations, "observation_action_mask_hand": mask}
    hand, logits = session.run(["action_hand", "logits_hand"], given)
    assert hand.tolist() == [5, 6, 7]
    assert (logits[mask == 0] == np.float32(-1e30)).all()
    assert len({*logits.max(axis=0).tolist()}) == 3  # of those that are left, the agent's own


def test_what_cannot_be_is_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("kept")
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UsageError, match=r"--format is onx \(did you mean onnx\?\), expected onnx, tflite, savedmodel"):
        export(AGENT, tmp_path / "out", "onx")
    for name in ("taken", "file"):
        with pytest.raises(UsageError, match=rf"--out is \S*{name}, and there is something already; give a new folder"):
            export(AGENT, tmp_path / name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UsageError, match=r"^onnx is not installed; pip install 'onnx>=1\.16'$"):
        export(AGENT, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]
    assert (tmp_path / "taken" / "mine.txt").read_text() == "kept"
