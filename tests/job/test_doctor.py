"""`doctor`: what it says of facts that are fed to it, and what it finds on real ranks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from baselines_ppo.common.mpi import world
from baselines_ppo.run import diagnosis as doctor_module
from baselines_ppo.run.advice import MIB, advice, memory_advice, oversubscription_advice, shared_memory_advice
from baselines_ppo.run.diagnosis import doctor, failures, report
from baselines_ppo.run.rank_facts import NEEDED, THREADS, Facts
from tests.conftest import ROOT, Finished

INFINITE = float("inf")
DOCTOR = "import sys; from baselines_ppo.run.diagnosis import doctor; code = doctor()"


def healthy(host: str = "anna", cores: int = 4, threads: int = 1, quota: float = INFINITE) -> Facts:
    """Return the facts of a rank with nothing to complain of."""
    return Facts(
        host=host,
        versions=dict.fromkeys((*NEEDED, "mpi4py", "mujoco"), "1.0"),
        settings={name: str(threads) for name in THREADS},
        pools="",
        address="10.0.0.1",
        cores=frozenset(range(cores)),
        quota=quota,
        memory=64 * 1024 * MIB,
        shared=(1024 * MIB, 1024 * MIB),
        litter=0,
        disk=10_000 * MIB,
        mpirun="/somewhere/mpirun",
        family="MPICH",
        library="MPICH 5.0.2",
    )


def job(*ranks: Facts) -> list[Facts]:
    """Return the facts of ranks that were started together."""
    return [facts._replace(launched=len(ranks), size=len(ranks)) for facts in ranks]


def test_a_healthy_job_gets_no_advice() -> None:
    text, exit_code = report(job(*[healthy("anna")] * 4, *[healthy("berta")] * 4))
    assert text.endswith("\nno warnings") and exit_code == 0


@pytest.mark.parametrize(("ranks", "cores", "threads"), [(4, 4, 1), (1, 4, 4), (2, 4, 2)])
def test_as_many_threads_as_cores_are_not_too_many(ranks: int, cores: int, threads: int) -> None:
    assert oversubscription_advice([healthy(cores=cores, threads=threads)] * ranks) == []


def test_more_ranks_than_cores_are_named_with_their_host_and_a_cure() -> None:
    (line,) = advice(job(*[healthy("anna", cores=3)] * 3, *[healthy("berta", cores=2)] * 5))
    assert line == "berta: 5 ranks with 5 threads in all on 2 usable cores; start at most 2 ranks there"


def test_more_threads_than_cores_are_cured_by_fewer_threads_not_by_fewer_ranks() -> None:
    few = healthy()._replace(settings={**healthy().settings, "OMP_NUM_THREADS": "8"})
    (line,) = oversubscription_advice([few, few])
    assert line == "anna: 2 ranks with 16 threads in all on 4 usable cores; set OMP_NUM_THREADS=1"


def test_threads_that_nobody_limits_are_as_many_as_cores() -> None:
    (line,) = oversubscription_advice([healthy()._replace(settings={})] * 2)
    assert "2 ranks with 8 threads in all" in line and "OMP_NUM_THREADS=1" in line


def test_ranks_bound_to_one_core_each_may_use_them_all_together_but_not_one_core_twice() -> None:
    bound = [healthy()._replace(cores=frozenset({core})) for core in range(4)]
    assert oversubscription_advice(bound) == []
    (line,) = oversubscription_advice(bound[:1] * 4)
    assert "on 1 usable core; start at most 1 rank there" in line


def test_a_quota_counts_like_cores() -> None:
    (line,) = oversubscription_advice([healthy(cores=64, quota=2.5)] * 3)
    assert "on 2.5 usable cores; start at most 2 ranks there" in line
    assert oversubscription_advice([healthy(quota=0.5)]) == [], "one rank is the least there is"
    assert "2.5 usable cores by a quota" in report([healthy(cores=64, quota=2.5)])[0]


def test_less_memory_than_ranks_take_is_warned_of_with_how_many_fit() -> None:
    small = healthy(cores=8)._replace(memory=1024 * MIB)
    assert memory_advice([small] * 2) == []
    (line,) = advice(job(*[small] * 4))
    assert line.startswith("anna: 4 ranks need 1.4 GiB of memory, 1.0 GiB are allowed")
    assert line.endswith("start at most 2 ranks there, or allow more")


def test_an_mpirun_of_another_mpi_than_the_one_that_is_loaded_is_warned_of() -> None:
    (line,) = advice([healthy()._replace(family="Open MPI")])
    assert line.startswith("mpi4py loads MPICH 5.0.2, /somewhere/mpirun is of Open MPI")
    assert not advice([healthy()._replace(family="Intel MPI")]), "they have one ABI"
    assert not advice([healthy()._replace(family="")]), "nobody knows"
    assert not advice(job(*[healthy()._replace(family="Open MPI")] * 2)), "srun has started them, say"


@pytest.mark.parametrize(
    ("ranks", "free", "enough"), [(1, 16, False), (4, 26, False), (16, 64, False), (16, 128, True)]
)
def test_shared_memory_in_which_mpich_was_seen_to_crash_is_warned_of(ranks: int, free: int, enough: bool) -> None:
    there = [healthy()._replace(shared=(free * MIB, free * MIB))] * ranks
    lines = shared_memory_advice(there)
    assert len(lines) == (0 if enough else 1)
    assert all(f"anna: /dev/shm has {free} MiB free" in line and "MPIR_CVAR_CH4_NETMOD=ofi" in line for line in lines)
    assert advice(job(*[facts._replace(cores=frozenset(range(ranks))) for facts in there])) == lines


def test_small_shared_memory_does_not_matter_to_who_does_not_use_it() -> None:
    small = healthy()._replace(shared=(MIB, MIB))
    assert advice(job(small, small))
    assert not advice(job(*[small._replace(settings={**small.settings, "MPIR_CVAR_CH4_NETMOD": "ofi"})] * 2))
    assert not advice(job(*[small._replace(library="Open MPI 5.0.11")] * 2))


def test_a_full_disk_is_warned_of() -> None:
    text, exit_code = report([healthy()._replace(litter=0, disk=300 * MIB)])
    assert "warning: anna: 300 MiB free in the current folder" in text and exit_code == 0
    lines = advice(job(healthy(), healthy()._replace(host="berta", litter=3, disk=MIB)))
    assert [line for line in lines if line.startswith("berta: 3 segments of /dev/shm")]
    assert [line for line in lines if line.startswith("berta: 1 MiB free in the current folder")]


def test_without_mpi_or_mpirun_there_is_one_rank_and_a_way_to_more() -> None:
    (line,) = advice([healthy()._replace(library="")])
    assert "no MPI library" in line and "pip install 'mpich>=4.2'" in line
    (line,) = advice([healthy()._replace(library="", settings={"MPI4PY_LIBMPI": "/none/libmpi.so"})])
    assert line.endswith("one rank; MPI4PY_LIBMPI is /none/libmpi.so: unset it, or name another")
    (line,) = advice([healthy()._replace(mpirun="")])
    assert "no mpirun" in line and "pip install 'mpich>=4.2'" in line


def test_ranks_that_mpi_does_not_see_are_an_error() -> None:
    text, exit_code = report([healthy()._replace(launched=4, size=1)])
    assert "error: 4 ranks were started, MPI sees 1; use the mpirun next to this Python" in text
    assert exit_code == 1


@pytest.mark.filterwarnings("ignore:suspicious MPI execution environment")
def test_ranks_of_a_foreign_launcher_are_an_error_of_which_rank_zero_tells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    for rank in (0, 1):
        monkeypatch.setenv("OMPI_COMM_WORLD_RANK", str(rank))
        world.cache_clear()
        assert doctor() == 1
        said = capsys.readouterr().out
        assert ("error: Open MPI's mpirun started 4 ranks, which MPICH" in said) == (rank == 0)
        assert bool(said) == (rank == 0)
    world.cache_clear()


def test_small_shared_memory_is_told_before_mpi_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Afterwards there may be nobody left to tell it."""

    def crash() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(doctor_module, "facts_of_this_rank", lambda: healthy()._replace(shared=(MIB, MIB)))
    monkeypatch.setattr(doctor_module, "world", crash)
    with pytest.raises(ZeroDivisionError):
        doctor()
    assert "before MPI starts, which may crash: anna: /dev/shm has 1 MiB free" in capsys.readouterr().err


def test_a_missing_package_and_an_unusable_setting_are_errors() -> None:
    broken = healthy("berta")._replace(versions={**healthy().versions, "tensorflow": ""})
    assert failures(job(healthy(), broken)) == ["berta: not installed: tensorflow; pip install 'tensorflow>=2.18'"]
    odd = healthy()._replace(settings={"OMP_NUM_THREADS": "4,2", "TF_NUM_INTRAOP_THREADS": "4,2"})
    (line,) = failures([odd])
    assert "TF_NUM_INTRAOP_THREADS is '4,2'" in line
    assert report([odd])[1] == 1


def test_what_differs_between_ranks_is_shown_with_the_number_of_its_ranks() -> None:
    other = healthy("berta", threads=2)._replace(versions={**healthy().versions, "numpy": "2.0"})
    text, _ = report(job(healthy(), healthy(), other))
    rows = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert rows["numpy"] == "1.0 on 2 ranks, 2.0 on 1 rank"
    assert rows["OMP_NUM_THREADS"] == "1 on 2 ranks, 2 on 1 rank"
    assert rows["gymnasium"] == "1.0"


def test_examining_loads_no_tensorflow() -> None:
    code = f"{DOCTOR}; assert 'tensorflow' not in sys.modules; sys.exit(code)"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    assert "tensorflow" in shown.stdout


def test_two_ranks_print_one_table_that_says_two_ranks(mpi: Callable[..., Finished]) -> None:
    finished = mpi(2, "-c", f"{DOCTOR}; sys.exit(code)")
    assert finished.returncode == 0, finished.stderr
    rows = [line.split(maxsplit=1) for line in finished.stdout.splitlines()]
    assert [row[1] for row in rows if row[0] == "ranks"] == ["2 started, MPI sees 2"]
    assert sum(row[0] == "python" for row in rows) == 1
    assert [row[1].split()[1:3] for row in rows if row[0] == "host"] == [["2", "ranks,"]], "facts of both are gathered"
