"""Two implementations side by side, each in a process and an environment of its own, taking steps in turn."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

Step = Callable[[], float]  # takes one step and returns its loss


class Side:
    """One implementation, started as `python SCRIPT --side NAME ...`, where the script calls `serve`."""

    def __init__(self, python: str, script: str, name: str, shared: Path, threads: int, *more: str) -> None:
        command = [python, script, "--side", name, "--shared", str(shared), "--threads", str(threads), *more]
        root = str(Path(__file__).parents[1])
        # both sides wait between turns; threads that spin meanwhile would take the other's core
        settings = {**os.environ, "PYTHONPATH": root, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=settings)
        self.torch = self._line()
        self.tag = f"{name}-{self.torch}"

    def step(self) -> tuple[float, float]:
        """Seconds that one step took, by the side's own clock, and its loss."""
        self._send("step")
        took, loss = self._line().split()
        return float(took), float(loss)

    def close(self) -> float:
        """Ends the process; returns the most memory that it held, in gigabytes."""
        self._send("end")
        peak = float(self._line())
        self.process.wait()
        return peak

    def _send(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(map(str, self.process.args))} ended early with code {self.process.wait()}")  # type: ignore[arg-type]
        return line.strip()


def serve(step: Step) -> None:
    """Warms up, says which torch it runs, then answers each line with the seconds and the loss of a step.

    Each is the second of two: training takes step after step, and the first one after the other side's turn finds its
    memory and caches gone, which costs a step of 13 ms another 30.
    """
    for _ in range(2):
        step()
    print(torch.__version__, flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, flush=True)
            return
        step()
        start = time.perf_counter()
        loss = step()
        print(time.perf_counter() - start, loss, flush=True)


def peers(package: str, install: str) -> str:
    """The interpreter that has the peers. Ends the program where none is named."""
    return os.environ.get("BRAINFM_PEERS") or sys.exit(
        f"BRAINFM_PEERS is not set, so there is no {package} to compare with: name the python of an environment with "
        f"{package} in it (uv pip install {install})"
    )
