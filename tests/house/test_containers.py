"""Images and manifests for clusters are whole: what they copy, install, mount and type is what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from baselines_ppo.common.job import shared_memory
from baselines_ppo.run import cli
from baselines_ppo.run.advice import RANK_MEMORY
from tests.conftest import ROOT

FOLDER = ROOT / "containers"
DOCKERFILE, APPTAINER = FOLDER / "Dockerfile", FOLDER / "apptainer.def"
SIZES = {"Mi": 1 << 20, "Gi": 1 << 30}


def mpijob() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "mpijob.yaml").read_text())


def pods() -> dict[str, dict[str, Any]]:
    """Return what the launcher and each worker are."""
    replicas = mpijob()["spec"]["mpiReplicaSpecs"]
    return {name: replica["template"]["spec"] for name, replica in replicas.items()}


def size(text: str) -> int:
    """Return the bytes of a quantity of Kubernetes."""
    return int(text[:-2]) * SIZES[text[-2:]]


def test_the_launcher_types_a_training_for_as_many_ranks_as_workers_have_slots() -> None:
    spec = mpijob()["spec"]
    mpirun, flag, ranks, python, *words = pods()["Launcher"]["containers"][0]["command"]
    assert (mpirun, flag) == ("mpirun", "-np")
    assert int(ranks) == spec["slotsPerWorker"] * spec["mpiReplicaSpecs"]["Worker"]["replicas"]
    assert python == "/opt/baselines_ppo/bin/python" and words[:2] == ["-m", "baselines_ppo.run"]
    options = vars(cli.parser("train", words[2:]).parse_args(words[2:]))
    assert options["num_envs"] % int(ranks) == 0
    for pod in pods().values():
        mounted = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        assert any(options["logdir"].startswith(f"{path}/") for path in mounted), "all ranks see the run folder"


def test_a_worker_has_the_cores_the_memory_and_the_shared_memory_of_its_ranks() -> None:
    ranks, pod = mpijob()["spec"]["slotsPerWorker"], pods()["Worker"]
    limits = pod["containers"][0]["resources"]["limits"]
    (volume,) = (volume for volume in pod["volumes"] if "emptyDir" in volume)
    assert int(limits["cpu"]) == ranks
    assert size(limits["memory"]) >= ranks * RANK_MEMORY
    assert size(volume["emptyDir"]["sizeLimit"]) >= shared_memory.needed(ranks)
    assert {"name": volume["name"], "mountPath": str(shared_memory.SHARED)} in pod["containers"][0]["volumeMounts"]


def test_pods_run_the_image_and_reach_its_ssh_as_the_operator_expects() -> None:
    spec, dockerfile = mpijob()["spec"], DOCKERFILE.read_text()
    (user,) = re.findall(r"useradd --create-home --uid (\d+) trainer", dockerfile)
    server = dict(line.split(" ", 1) for line in (FOLDER / "sshd_config").read_text().splitlines())
    assert spec["mpiImplementation"] == "MPICH", "of the wheel"
    assert server["HostKey"].startswith(f"{spec['sshAuthMountPath']}/")
    assert f"Port {server['Port']}\\n" in dockerfile
    for pod in pods().values():
        (container,) = pod["containers"]
        assert container["image"] == "REGISTRY/baselines-ppo-node", "a place that says that it is one"
        assert container["securityContext"]["runAsUser"] == int(user)
    worker = pods()["Worker"]["containers"][0]
    assert worker["readinessProbe"]["tcpSocket"]["port"] == int(server["Port"])
    assert worker["command"][-1] == "/home/trainer/.sshd_config"


def copied(path: Path) -> set[str]:
    """Return what comes from the repository into an image."""
    if path == APPTAINER:
        return set(re.findall(r"^    (\S+) /source/\1$", path.read_text(), re.MULTILINE))
    return set(re.findall(r"^!(\S+)$", (FOLDER / "Dockerfile.dockerignore").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", [DOCKERFILE, APPTAINER], ids=["Dockerfile", "Apptainer"])
def test_an_image_is_made_of_what_the_package_is_made_of(path: Path) -> None:
    text = path.read_text()
    needed = {"README.md", "LICENSE", "setup.cfg", "pyproject.toml", "MANIFEST.in", "baselines_ppo"}
    links = {entry.name for entry in (ROOT / "baselines_ppo").iterdir() if entry.is_symlink()}
    assert copied(path) >= needed | links
    assert all((ROOT / name).exists() for name in copied(path))
    extras = re.findall(r"(?:ARG EXTRAS|extras)=(\w+)", text)
    assert extras and all(f"\n{extra} =\n" in (ROOT / "setup.cfg").read_text() for extra in extras)
    assert not re.search(r"^(?:FROM|From:) (?!debian:bookworm-slim|training)", text, re.MULTILINE)


def test_what_a_container_does_by_itself_is_a_command_of_ours() -> None:
    (words,) = re.findall(r'^CMD \["baselines-ppo", "(.*)"\]$', DOCKERFILE.read_text(), re.MULTILINE)
    assert cli.divided(shlex.split(words)) == ("doctor", [])
