"""``hmcbench run --executor slurm --dry-run``: the script that runs the same command on a SLURM cluster."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

MINUTES_MORE = 15  # for the start of the cluster, and the leaderboard

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
# The nodes know each other by a token in ~/.ray; without one, anybody who reaches them can run code there.
export RAY_AUTH_MODE=${{RAY_AUTH_MODE:-token}}
if [ "$RAY_AUTH_MODE" = token ]; then ray get-auth-token --generate > /dev/null; fi
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
# Ray starts on all nodes, the first one runs the command, and Ray stops when it has ended. It stops every
# Ray of yours on those nodes, hence --exclusive.
# Killed or out of time: sbatch the same file again, and it goes on from the records that are there.
srun --nodes="$SLURM_NNODES" --ntasks="$SLURM_NNODES" --cpus-per-task="$SLURM_CPUS_PER_TASK" \\
  ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_NNODES" --num-cpus "$SLURM_CPUS_PER_TASK" -- \\
  {command}
"""


def script(arguments: Sequence[str], *, cells: int, threads: int, limit_s: float, gpu: bool) -> str:
    """The text of a batch script for ``sbatch``.

    Args:
        arguments: of the command line, without ``--executor`` and ``--dry-run``.
        cells: how many are to be run.
        threads: CPUs of one cell.
        limit_s: the longest that one cell may take.
        gpu: whether a model can use one.
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


def arguments_of(options: dict[str, object], given: Sequence[tuple[str, str, bool, object]]) -> list[str]:
    """The command line again.

    Args:
        options: what click parsed.
        given: (name, flag, whether it takes no value, default) of every option of the command.
    """
    out: list[str] = []
    for name, flag, is_switch, default in given:
        value = options[name]
        if name in ("executor", "dry_run") or str(value) == str(default) or value in ((), None):
            continue
        if is_switch:
            out.append(flag)
        else:
            values = value if isinstance(value, tuple) else (value,)
            out += [text for one in values for text in (flag, str(one))]
    return out
