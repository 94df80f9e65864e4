"""The command `steer` serves a page until Ctrl-C."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.show.conftest import OTHER

pytest.importorskip("viser")


def answer(port: int, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("GET", "/", skip_host=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_command_prints_its_address_serves_and_ends_by_ctrl_c() -> None:
    command = [sys.executable, "-m", "baselines_ppo.run", "steer", OTHER, "--host", "localhost", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"open http://(\S+):(\d+) in a browser", line)
        assert found, line + (process.stderr.read() if process.stderr else "")
        assert answer(int(found[2]), {"Host": f"{found[1]}:{found[2]}"}) == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert (process.stderr.read() if process.stderr else "") == ""


def test_ctrl_c_before_there_is_a_page_says_nothing_of_a_training() -> None:
    # It comes as soon as the command is chosen, while all that it needs is loaded.
    program = """
import signal, sys
import baselines_ppo.run.cli as cli
from baselines_ppo.common.ending import run_job
class Interrupting:
    def find_spec(self, name, *_):
        if name == "baselines_ppo.run.show.page":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
run_job(lambda: cli.main(["steer"]))
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
