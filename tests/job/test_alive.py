"""The watch itself: who is taken for stuck, who speaks, and what a stop signal waits for."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from baselines_ppo.common.job.alive import OTHERS_FIRST, Alive, Watch
from baselines_ppo.common.job.board import Sign, create_board, open_board
from baselines_ppo.common.job.heartbeat import Heartbeat
from baselines_ppo.common.job.signals import Asked
from tests.conftest import ROOT, command


class Rank:
    """One of several ranks in this process: what its watch has seen, and what it did about it."""

    def __init__(self, rank: int, size: int, timeout: float, grace: float) -> None:
        self.alive = Alive(rank, size)
        self.asked: Asked | None = None
        self.ended: list[tuple[int, str]] = []
        self.insisted: float | None = None
        self.alive.begin(Watch(timeout, grace, lambda: self.asked, lambda: self.insisted, self._end))
        self.alive.warm = True

    def _end(self, code: int, text: str) -> None:
        self.ended.append((code, text))


@contextmanager
def watching(
    folder: Path, size: int, timeout: float = 60.0, grace: float = 60.0, shared: bool = True
) -> Iterator[list[Rank]]:
    """Yield ranks that watch each other."""
    create_board(folder / "ranks" / "alive", size)
    ranks = [Rank(rank, size, timeout, grace) for rank in range(size)]
    for rank in ranks if shared else ():
        rank.alive.share(folder / "ranks" / "alive", lambda of: folder / "ranks" / f"{of:02d}.log")
    try:
        yield ranks
    finally:
        for rank in ranks:
            rank.alive.end()


def ready(code: str) -> subprocess.Popen[str]:
    """Return a Python that runs some code, once that has said that it is ready."""
    process = subprocess.Popen(command(1, "-c", code), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_signs_of_life_are_seen_by_all_ranks(tmp_path: Path) -> None:
    with watching(tmp_path, 3) as ranks:
        ranks[0].alive.enter("the sum of gradients")
        ranks[2].alive.note("collecting, step 88 of a very long walk, " + "x" * 100)
        signs = ranks[1].alive._board.read()
    assert [sign.collectives for sign in signs] == [1, 0, 0]
    assert signs[0].doing == "waiting for the sum of gradients"
    assert signs[2].doing.startswith("collecting, step 88")
    assert all(abs(sign.time - time.time()) < 5 for sign in signs)


def test_a_slow_rank_that_gives_signs_of_life_is_waited_for(tmp_path: Path) -> None:
    with watching(tmp_path, 2, timeout=2.0) as (waiting, slow):
        waiting.alive.enter("the rollouts")
        for step in range(40):
            slow.alive.note(f"collecting, step {step}")
            time.sleep(0.1)
        assert waiting.ended == slow.ended == []
        until(lambda: waiting.ended)
    code, text = waiting.ended[0]
    assert code == 70
    assert re.search(r"not arrived: rank 1 \(collecting, step 39, last sign of life \d+ s ago", text)


def test_a_slow_rank_that_comes_at_last_raises_no_alarm(tmp_path: Path) -> None:
    """What all have come to takes its time as well."""
    with watching(tmp_path, 2, timeout=2.0) as (waiting, slow):
        waiting.alive.enter("the rollouts")
        for step in range(40):
            slow.alive.note(f"collecting, step {step}")
            time.sleep(0.1)
        slow.alive.enter("the rollouts")
        time.sleep(1.0)
        assert waiting.ended == slow.ended == []
        until(lambda: waiting.ended)  # nobody leaves it any more
    assert waiting.ended[0][1].endswith("for the rollouts; not arrived: nobody knows; no checkpoint was written yet")


def test_with_a_board_those_who_wait_speak(tmp_path: Path) -> None:
    with watching(tmp_path, 2, timeout=1.0) as (waiting, stuck):
        stuck.alive.note("collecting, step 3")
        waiting.alive.enter("the rollouts")
        until(lambda: waiting.ended)
        assert stuck.ended == []


def test_records_are_never_seen_half_written(tmp_path: Path) -> None:
    """By another process, which reads all the time."""
    board_file = tmp_path / "ranks" / "alive"
    create_board(board_file, 1)
    board = open_board(board_file, 1)
    board.write(0, Sign(1.0, 1, 1.0, 1, True, "x" * 80))
    code = (
        "import sys; from pathlib import Path; from baselines_ppo.common.job.board import open_board\n"
        f"board = open_board(Path({str(board_file)!r}), 1)\n"
        "print('ready', flush=True)\n"
        "odd = [sign for sign in (board.read()[0] for _ in range(200_000)) if 0 in sign[:4]]\n"
        "print(len(odd))"
    )
    reader = ready(code)
    count = 1
    while reader.poll() is None:
        count += 1
        board.write(0, Sign(float(count), count, float(count), count, True, "x" * 80))
    assert reader.communicate()[0] == "0\n"
    board.close()


def test_of_several_missing_ranks_the_longest_silent_decides(tmp_path: Path) -> None:
    with watching(tmp_path, 3, timeout=1.0) as (waiting, busy, stuck):
        stuck.alive.note("collecting, step 3")
        waiting.alive.enter("the rollouts")
        end = time.monotonic() + 20
        while not waiting.ended:
            assert time.monotonic() < end
            busy.alive.note("collecting, step 9")
            time.sleep(0.1)
    assert "rank 2 (collecting, step 3, last sign of life " in waiting.ended[0][1]


def test_before_there_is_a_board_the_stuck_rank_itself_speaks(tmp_path: Path) -> None:
    with watching(tmp_path, 2, timeout=1.0, shared=False) as (waiting, stuck):
        waiting.alive.enter("the environments")
        stuck.alive.note("making environments")
        until(lambda: stuck.ended)
        assert waiting.ended == []
    stuck_in = r"no sign of life for [01] s \(making environments\); no checkpoint was written yet"
    assert re.fullmatch(stuck_in, stuck.ended[0][1])


def test_a_stop_signal_of_another_rank_lets_rank_0_save_what_it_kept(tmp_path: Path) -> None:
    """However long that takes: nobody ends the job meanwhile."""
    slowly = threading.Event()

    def rescue() -> str:
        slowly.wait(20)
        return "ckpt-00000007"

    with watching(tmp_path, 2, grace=0.5) as (root, other):
        root.alive.rescue = rescue
        root.alive.enter("the rollouts")
        other.alive.note("learning")
        other.asked = Asked(time.time(), 130)
        until(lambda: root.alive._board.read()[0].saving)
        time.sleep(OTHERS_FIRST + 1.5)
        assert root.ended == other.ended == []
        slowly.set()
        until(lambda: root.ended)
    code, text = root.ended[0]
    assert code == 130
    assert text.endswith("ckpt-00000007 written; go on from the last checkpoint with --resume")


@pytest.mark.parametrize("saved", [False, True])
def test_a_stop_that_cannot_wait_says_whether_there_is_a_checkpoint(saved: bool, tmp_path: Path) -> None:
    with watching(tmp_path, 1, grace=0.3) as (alone,):
        alone.alive.saved = saved
        alone.asked = Asked(time.time(), 75)
        until(lambda: alone.ended)
    code, text = alone.ended[0]
    assert code == 70
    assert ("go on from the last checkpoint" in text, "no checkpoint was written yet" in text) == (saved, not saved)


def test_the_end_of_the_watch_waits_for_what_it_saves(tmp_path: Path) -> None:
    saved: list[str] = []

    def rescue() -> str:
        time.sleep(2)
        saved.append("ckpt-00000007")
        return saved[0]

    with watching(tmp_path, 1, grace=0.2) as (alone,):
        alone.alive.rescue = rescue
        alone.asked = Asked(time.time(), 75)
        until(lambda: alone.alive._board.read()[0].saving)
        alone.alive.end()
        assert saved
    assert [code for code, _ in alone.ended] == [75]


@pytest.mark.slow
def test_a_job_that_is_stuck_and_suspended_by_turns_is_ended(tmp_path: Path) -> None:
    """As where jobs take turns: only the time for which it was awake counts."""
    code = (
        "import time; from tests.job.test_alive import Rank; rank = Rank(0, 1, 6.0, 60.0); print('ready', flush=True)\n"
        "while not rank.ended: time.sleep(0.1)"
    )
    process = ready(code)
    for _ in range(2):
        time.sleep(3.5)
        process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        process.send_signal(signal.SIGCONT)
    assert process.wait(20) == 0


def test_a_process_that_was_stopped_and_goes_on_raises_no_alarm(tmp_path: Path) -> None:
    """As when a laptop sleeps, or a cluster suspends the job."""
    code = (
        "import time; from tests.job.test_alive import Rank; rank = Rank(0, 1, 6.0, 60.0); print('ready', flush=True); "
        "time.sleep(12); print(rank.ended)"
    )
    process = ready(code)
    time.sleep(1)  # until it sleeps
    process.send_signal(signal.SIGSTOP)
    time.sleep(8)
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=60)[0] == "[]\n"


def test_a_watch_that_ended_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with watching(tmp_path, 2, timeout=0.3) as ranks:
        pass
    time.sleep(1)
    assert not [thread for thread in threading.enumerate() if thread.name == "alive"]
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert all(rank.ended == [] for rank in ranks)


def test_a_notebook_is_warned_and_left_alone(tmp_path: Path) -> None:
    """`train` in a process that is no job of its own, with an environment that stands still for a while."""
    code = (
        "import sys, time\n"
        "from baselines_ppo import configure, train\n"
        "sys.ps1 = '>>> '\n"
        "from tests.environments import Forever\n"
        "from tests.faults import use_stub\n"
        "use_stub()\n"
        "class Napping(Forever):\n"
        "    steps = 0\n"
        "    def step(self, action):\n"
        "        self.steps += 1\n"
        "        time.sleep(5 if self.steps == 9 else 0)\n"
        "        return super().step(action)\n"
        "config = configure('napping', preset='none', num_envs=1, num_steps=16, num_minibatches=1,"
        " num_timesteps=32, num_epochs=1, timeout=1)\n"
        f"print('ended with', train(config, logdir={str(tmp_path / 'run')!r}, environment=Napping).exit_code)"
    )
    finished = subprocess.run(command(1, "-c", code), cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert finished.stdout.endswith("ended with 0\n"), finished.stderr
    assert "warning: no sign of life for " in finished.stderr


def test_a_rank_that_was_not_asked_to_speak_stays_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """What begins an iteration for all ranks does not make them all speak."""
    silent, speaking = Heartbeat(), Heartbeat()
    speaking.begin()
    for heart in (silent, speaking):
        heart.shown()
        heart.look(100.0, "waiting for the film", 3.0)
    assert capsys.readouterr().out == "waiting for the film, 3 s\n"
