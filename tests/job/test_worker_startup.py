"""Processes that a run starts end with it, however it ends."""

import os
import signal
import subprocess
import sys

import pytest
from places import ROOT

OWNER = """
import subprocess, sys
from hep_peaksum.job.worker_startup import script_command
subprocess.run(script_command(sys.argv[1]))
"""
SCRIPT = """
import os, time
print(__name__, os.getpid() == os.getsid(0), flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_script_ends_when_its_owner_is_killed(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-c", OWNER, str(tmp_path / "script.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        name, has_own_session = owner.stdout.readline().split()
        assert (name, has_own_session) == ("__main__", "True")  # Ctrl-C in a terminal does not reach it
        owner.send_signal(signal.SIGKILL)
        owner.communicate(timeout=30)  # returns when the script, which has the same stdout, has ended
