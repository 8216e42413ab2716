"""``hmcbench run --executor slurm --dry-run``: a batch script for the same run on a SLURM cluster."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from hmcbench.registry.named import switches

MINUTES_MORE = 15  # to start the cluster and to write the leaderboard

SCRIPT = """\
#!/bin/bash
# Written by hmcbench. Change nodes, partition and time to what your cluster has, then: sbatch THIS_FILE
# Every node must see this folder and the environment that hmcbench is installed in.
#SBATCH --job-name=hmcbench
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task={cpus}
{gpus}#SBATCH --time={minutes}
#SBATCH --output=hmcbench-%j.log
#SBATCH --signal=B:TERM@60
#SBATCH --exclusive
set -euo pipefail
export RAY_USAGE_STATS_ENABLED=0
# A token in ~/.ray authenticates the nodes; without one, anybody who reaches them can run code there.
export RAY_AUTH_MODE=${{RAY_AUTH_MODE:-token}}
if [ "$RAY_AUTH_MODE" = token ]; then ray get-auth-token --generate > /dev/null; fi
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
# Ray starts on all nodes, the first node runs the command, and Ray stops when the command has ended. It
# stops every Ray of yours on those nodes, hence --exclusive.
# Killed or out of time: sbatch the same file again, and it continues from the existing records.
srun --nodes="$SLURM_NNODES" --ntasks="$SLURM_NNODES" --cpus-per-task="$SLURM_CPUS_PER_TASK" \\
  ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_NNODES" --num-cpus "$SLURM_CPUS_PER_TASK" -- \\
  {command}
"""


def script(arguments: Sequence[str], *, cells: int, threads: int, limit_s: float, gpu: bool) -> str:
    """The text of a batch script for ``sbatch``.

    Args:
        arguments: those of ``hmcbench run``, without ``--executor`` and ``--dry-run``.
        cells: number of cells to run.
        threads: CPUs per cell.
        limit_s: time limit of one cell, in seconds.
        gpu: whether a model can use a GPU.
    """
    nodes = max(1, min(4, cells))
    minutes = round(limit_s * -(-cells // nodes) / 60) + MINUTES_MORE
    return SCRIPT.format(
        nodes=nodes,
        cpus=threads,
        gpus="#SBATCH --gpus-per-node=1\n" if gpu else "",
        minutes=minutes,
        command=shlex.join(["hmcbench", "run", *arguments, "--executor", "ray"]),
    )


def arguments_of(options: dict[str, object], params: Sequence[click.Parameter]) -> list[str]:
    """The command line that gave ``options`` to a command with ``params``."""
    out: list[str] = []
    for param in params:
        values_of = options | {"plugin": tuple(switches()[1])}  # its callback has added them
        flag, value = param.opts[-1], values_of[param.name or ""]
        default = param.get_default(click.get_current_context())
        if param.name in ("executor", "dry_run") or str(value) == str(default) or value in ((), None):
            continue
        if isinstance(value, bool):
            out.append(flag)
        else:
            values = value if isinstance(value, tuple) else (value,)
            out += [text for item in values for text in (flag, str(item))]
    return out
