"""
What a process and its children cost: CPU seconds and memory, from C{/proc}.
"""

from __future__ import annotations

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """
    The live children of a process, of all its threads.
    """
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found


def tree(pid: int) -> list[int]:
    """
    A process and all below it.
    """
    found = [pid]
    for child in children(pid):
        found += tree(child)
    return found


def cpuSeconds(pid: int) -> float:
    """
    User and system time of a process, of its live descendants, and of the children that it has reaped.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    total = sum(map(int, fields[11:15])) / _TICK
    for each in tree(pid)[1:]:
        # In nanoseconds: the ticks of many children that do little each would round down to nothing.
        for task in Path(f"/proc/{each}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0]) / 1e9
            except OSError:
                continue
    return total


def memoryKB(pid: int) -> int:
    """
    The proportional set size of a process and all below it: shared pages count once among those who share them.
    """
    total = 0
    for each in tree(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total
