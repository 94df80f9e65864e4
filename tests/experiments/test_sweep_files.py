"""What a sweep is made of: files and flags, the runs that come of them, and what a folder remembers."""

from __future__ import annotations

import itertools
import shlex
import subprocess
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from baselines_ppo import configure
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.files.lock import hold
from baselines_ppo.common.files.toml_file import TomlFile
from baselines_ppo.experiments.sweep import Plan, _come_to, chosen_ranks, planned, run
from baselines_ppo.experiments.sweeping import record
from baselines_ppo.experiments.sweeping.cases import cases_of, left_out
from baselines_ppo.experiments.sweeping.description import described
from baselines_ppo.experiments.sweeping.slurm import write_script
from baselines_ppo.experiments.sweeping.swept_run import STOPPED, SweptRun
from baselines_ppo.run.cli import parser
from baselines_ppo.run.commands.sweep import varied
from baselines_ppo.run.sweeping import without_slurm
from tests.conftest import ROOT

GOOD = """\
# a comment
env = ["CartPole-v1", "Pendulum-v1"]
alg = ["ppo2", "trpo"]
seeds = "0-1,7"
num_timesteps = 1e4
clip_rewards = "none"

[vary]
learning_rate = [1e-4, 3e-4]  # of ppo2

[for.Pendulum-v1]
gamma = 0.9

[for.trpo]
hidden_sizes = [32, 32]
"""


def plan_of(folder: Path, text: str = GOOD, **keys: Any) -> Plan:
    (folder / "my.toml").write_text(text)
    return planned(folder / "my.toml", {"logdir": str(folder / "runs"), **keys})


def test_keys_that_leave_out_what_a_file_has_settings_for_leave_these_out_too(tmp_path: Path) -> None:
    for keys, cases in (
        ({"env": ["CartPole-v1"]}, 9),
        ({"alg": "ppo2"}, 12),
        ({"env": "Acrobot-v1", "alg": "ppo2"}, 6),
    ):
        assert len(plan_of(tmp_path, **keys).cases) == cases


def test_a_file_makes_every_combination_once(tmp_path: Path) -> None:
    """TRPO has no learning rate: what is varied of it makes no further run."""
    cases = plan_of(tmp_path).cases
    assert [case.number for case in cases] == list(range(len(cases)))
    assert len({case.name for case in cases}) == len(cases)
    found = {
        (c.config.env, c.config.alg, c.seed, getattr(c.config.algorithm, "learning_rate", None)): c.config
        for c in cases
    }
    ways = [("ppo2", 1e-4), ("ppo2", 3e-4), ("trpo", None)]
    wanted = itertools.product(("CartPole-v1", "Pendulum-v1"), ways, (0, 1, 7))
    assert {*found} == {(env, alg, seed, rate) for env, (alg, rate), seed in wanted}
    for (env, alg, *_), config in found.items():
        assert (config.num_timesteps, config.rollout.clip_rewards) == (10_000, None)
        preset = configure(env, alg)
        assert config.rollout.gamma == (0.9 if env == "Pendulum-v1" else preset.rollout.gamma)
        assert config.policy.hidden_sizes == ((32, 32) if alg == "trpo" else preset.policy.hidden_sizes)
    assert [*left_out(plan_of(tmp_path).description)] == ["trpo has no learning_rate; its runs are without"]


def test_flags_come_before_what_the_file_says_and_are_read_alike(tmp_path: Path) -> None:
    typed = ["--env", "Acrobot-v1", "--seeds", "3", "--num-timesteps", "2e4", "--value-clip-range", "none"]
    options = vars(parser("sweep", typed).parse_args(["my.toml", *typed]))
    keys = {name: options[name] for name in ("env", "seeds", "num_timesteps", "value_clip_range")}
    file = GOOD.partition("[for.")[0]
    (case, *_) = cases = plan_of(tmp_path, file, alg="ppo2", **keys).cases
    assert len(cases) == 2
    assert (case.config.env, case.seed, case.config.num_timesteps) == ("Acrobot-v1", 3, 20_000)
    assert case.settings["value_clip_range"] is None


def test_values_of_a_flag_are_of_the_type_of_their_field() -> None:
    assert varied("learning_rate=1e-4,3e-4") == ("learning_rate", [1e-4, 3e-4])
    assert varied("hidden-sizes=64,64;32;empty") == ("hidden_sizes", [(64, 64), (32,), ()])
    assert varied("clip_rewards=none,5") == ("clip_rewards", [None, 5.0])
    for text, words in {
        "lr=1": "ours is learning_rate",
        "gamme=1": "did you mean gamma",
        "gamma=a": "type float",
        "env=CartPole-v1": "give --env A,B instead",
        "seed=1,2": "give --seeds 0-4 instead",
    }.items():
        with pytest.raises(UsageError, match=words):
            varied(text)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("num_timesteps", "num_timestep", r"line 5: unknown key num_timestep \(did you mean num_timesteps,"),
        ("num_timesteps", "total_timesteps", r"line 5: unknown key total_timesteps; ours is num_timesteps"),
        ("seeds", "seed", r"line 4: unknown key seed; give seeds"),
        ('"0-1,7"', '"0-1000000000"', r"line 4: seeds is '0-1000000000', expected at most 10,000 seeds"),
        ('"0-1,7"', '"0-9999"', r"these are more than 10,000 runs; make several sweeps"),
        ('"0-1,7"', f'"{"9" * 5000}"', r"line 4: seeds is '99+\.\.\., expected whole numbers"),
        ('"0-1,7"', '"one"', r"line 4: seeds is 'one', expected whole numbers"),
        ('"trpo"]', '"tropo"]', r"line 3: unknown algorithm tropo \(did you mean trpo\?\)"),
        ("learning_rate", "lerning_rate", r"line 9: unknown key lerning_rate \(did you mean learning_rate"),
        ("3e-4]", '"much"]', r"line 9: learning_rate is 'much', expected float"),
        ("[1e-4, 3e-4]", "1e-4", r"line 9: vary learning_rate is 0\.0001, expected a list"),
        ("gamma = 0.9", "gamma = 9", r"line 12: gamma is 9, expected at most 1"),
        ("for.trpo", "for.ppo1", r"line 14: for\.ppo1 is no environment or algorithm of this sweep"),
        ("hidden_sizes", "clip_range", r"line 15: none of these algorithms has clip_range"),
        ("[32, 32]", "[32, 0]", r"line 15: hidden_sizes is \(32, 0\), expected at least 1"),
        ("[vary]", "[vary", r"my\.toml is no TOML: .*line 8"),
        ("Pendulum-v1", "Pendulun-v1", r"unknown environment Pendulun-v1 \(did you mean Pendulum-v1"),
        (
            "num_timesteps",
            "num_minibatches = 7\nnum_timesteps",
            r"run CartPole-v1/ppo2-\S+seed=0: num_minibatches 7 does",
        ),
    ],
)
def test_a_mistake_is_named_by_its_line_and_nothing_is_begun(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        plan_of(tmp_path, GOOD.replace(old, new))
    assert not (tmp_path / "runs").exists()


def test_an_editor_may_begin_a_file_with_a_mark(tmp_path: Path) -> None:
    """UTF-8's byte order mark, as Notepad writes it."""
    (tmp_path / "my.toml").write_text('\ufeffenv = "CartPole-v1"\n', "utf-8")
    assert TomlFile(tmp_path / "my.toml").data == {"env": "CartPole-v1"}


def test_lines_are_found_whatever_the_way_of_writing(tmp_path: Path) -> None:
    """Dotted keys, quotes, comments and lists over several lines are TOML, too."""
    (tmp_path / "my.toml").write_text(
        'a = [\n 1,\n]\nvary.gamma = [0.9]\n"b" = 2 # b = 3\n[for."ALE/Pong-v5"]  # c\nd = 1\n'
    )
    file = TomlFile(tmp_path / "my.toml")
    keys = {("a",): 1, ("vary", "gamma"): 4, ("b",): 5, ("for", "ALE/Pong-v5"): 6, ("for", "ALE/Pong-v5", "d"): 7}
    for key, line in keys.items():
        assert f", line {line}: " in file.where(*key)
    assert file.where("nowhere").endswith("my.toml: ")


def test_a_sweep_may_grow_and_may_not_change(tmp_path: Path) -> None:
    def begin(**keys: Any) -> None:
        plan = plan_of(tmp_path, **keys)
        record.keep(plan.folder, plan.cases, plan.ranks)

    begin()
    begin()
    begin(seeds="0-1,7-9")
    begin(seeds="0-1,7-9", save_interval=3.0)  # which changes no result
    with pytest.raises(UsageError, match=r"CartPole-v1/ppo2-learning_rate=0\.0001-seed=8, .* and 9 more would not be"):
        begin()
    with pytest.raises(UsageError, match=r"ppo2-learning_rate=0\.0001-seed=0: num_epochs \d+ -> 2; .* and 27 more"):
        begin(seeds="0-1,7-9", num_epochs=2)
    with pytest.raises(UsageError, match=r"gamma 0\.9 -> 0\.5"):
        begin(seeds="0-1,7-9", **{"for": {"Pendulum-v1": {"gamma": 0.5}, "trpo": {"hidden_sizes": [32, 32]}}})
    (tmp_path / "runs" / record.RECORD).write_text("{}")
    with pytest.raises(LoadError, match=r"sweep\.json cannot be read"):
        begin()


def test_whoever_comes_to_a_sweep_under_way_leaves_its_record_as_it_is(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    record.keep(plan.folder, plan.cases, plan.ranks)
    before = (plan.folder / record.RECORD).read_bytes()
    with hold(plan.folder), pytest.raises(UsageError, match=r"is in use by process \d+"):
        run(plan_of(tmp_path, seeds="0-1,7-9"))
    assert (plan.folder / record.RECORD).read_bytes() == before


def test_two_tasks_that_begin_a_sweep_at_once_do_not_refuse_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, read = plan_of(tmp_path), record._read

    def another_is_faster(folder: Path) -> None:
        monkeypatch.setattr(record, "_read", read)
        record.keep(plan.folder, plan.cases, plan.ranks)
        (plan.folder / plan.cases[0].name).mkdir(parents=True)

    monkeypatch.setattr(record, "_read", another_is_faster)
    record.keep(plan.folder, plan.cases, plan.ranks)
    assert record.recorded_ranks(plan.folder) == plan.ranks


def test_a_sweep_whose_run_was_stopped_from_outside_asks_to_be_started_again(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    stopped = SweptRun(plan.cases[0], plan.folder, 1)
    stopped.state = STOPPED  # as by a scheduler's signal to this process alone
    assert [_come_to([stopped], plan, asked).exit_code for asked in (0, 130)] == [75, 130]


def test_two_runs_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Walks/Far-v0", "Walks-Far-v0"):  # a folder's name has no slash
        monkeypatch.setitem(gymnasium.registry, name, gymnasium.spec("CartPole-v1"))
    with pytest.raises(UsageError, match="two runs that differ would have the one name Walks-Far-v0/ppo2-seed=0"):
        cases_of(described({"env": ["Walks/Far-v0", "Walks-Far-v0"]}), 1)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    plan.folder.mkdir()
    (plan.folder / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"is not empty and holds no sweep \(thesis\.tex\)"):
        record.keep(plan.folder, plan.cases, 1)
    assert [path.name for path in plan.folder.iterdir()] == ["thesis.tex"]


def test_ranks_fill_the_cores_and_change_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines_ppo.experiments.sweep.usable_cores", lambda: 12)
    one = {"env": "Humanoid-v4"}  # 64 environments
    assert chosen_ranks(described(one)) == 8
    assert chosen_ranks(described({**one, "seeds": "0-2"})) == 4
    assert chosen_ranks(described({**one, "seeds": "0-6"})) == 1
    assert (
        chosen_ranks(described({"env": "CartPole-v1", "alg": "ppo1", "preset": "none"})) == 1
    )  # an environment a rank
    assert {case.config.num_envs for case in cases_of(described(one), 8)} == {64}


def test_an_array_job_runs_each_run_by_its_number(tmp_path: Path) -> None:
    words = ["sweep", "my sweep.toml", "--logdir", "runs"]
    script = write_script(tmp_path, 20, 4, words, "--time=12:00:00 --partition=cpu")
    text = script.read_text()
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert "--array=0-19 --ntasks=4 " in text
    assert "\n#SBATCH --time=12:00:00 --partition=cpu\n" in text
    (line,) = (line for line in text.splitlines() if "baselines_ppo.run" in line)
    assert shlex.split(line.partition(" & ")[0])[3:] == [*words, "--only", "$SLURM_ARRAY_TASK_ID"]
    with pytest.raises(UsageError, match="expected options of sbatch"):
        write_script(tmp_path, 20, 4, words, "12:00:00")


def test_presets_are_varied_by_a_flag_as_in_a_file() -> None:
    assert varied("preset=none,CartPole-v1") == ("preset", ["none", "CartPole-v1"])


@pytest.mark.parametrize("name", ['a"b', "%j"])
def test_a_folder_that_slurm_would_misread_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Slurm does not take"):
        write_script(tmp_path / name, 2, 1, ["sweep"], "")


@pytest.mark.parametrize("typed", ["--slurm", "--slurm=--time=1 --mem=2G", "--slurm --seeds 0-4"])
def test_a_task_types_what_was_typed_but_not_slurm(typed: str) -> None:
    words = shlex.split("sweep my.toml") + (shlex.split(typed) if " --seeds" in typed else [typed])
    assert without_slurm(words) == ["sweep", "my.toml", *(["--seeds", "0-4"] if "--seeds" in typed else [])]


def test_the_sweeps_of_the_benchmark_can_be_read() -> None:
    """Each has five seeds, and no row is in two files, but for the example of the docs."""
    rows: list[tuple[str, str, int]] = []
    for file in sorted((ROOT / "benchmarks" / "sweeps").glob("*.toml")):
        cases = planned(file, {}).cases
        assert {case.seed for case in cases} == {*range(5)}, file
        if file.stem != "two-tasks":
            rows += {(case.config.env, case.config.alg, case.config.num_timesteps) for case in cases}
    assert len({*rows}) == len(rows) > 30
