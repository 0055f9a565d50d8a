"""One policy as a process of its own: a JSON job on standard input, progress and outcome as JSON lines on output."""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import IO, Any

from config.schema import HouseFile
from models.errors import PemsError
from models.scorecard import score
from pems_actors.evidence import write_policy, write_wire
from pems_actors.simulation.policy import Job, Outcome, run_policy

STEP = 0.005  # of progress that is worth a line


def main() -> int:
    """Run the job; 0, or 2 with one line on standard error."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # solvers print as they please; what we say goes past them
    job = json.load(sys.stdin)
    try:
        result = _run(job, out)
    except PemsError as error:
        out.write(json.dumps({"error": str(error)}) + "\n")
        return 2
    out.write(json.dumps({"result": result}) + "\n")
    return 0


def _run(job: dict[str, Any], out: IO[str]) -> dict[str, Any]:
    config = HouseFile.model_validate_json(json.dumps(job["config"]))
    told = [0.0]

    def progress(share: float) -> None:
        if share - told[0] >= STEP or share >= 1.0:
            told[0] = share
            out.write(json.dumps({"progress": share}) + "\n")

    outcome = run_policy(
        Job(
            policy=job["policy"],
            config=config,
            start=date.fromisoformat(job["start"]),
            days=job["days"],
            seed=job["seed"],
            replan_s=job["replan_s"],
        ),
        progress,
    )
    folder = Path(job["out"])
    write_policy(folder, job["policy"], outcome.rows)
    if job["policy"] == "pems":
        write_wire(folder, outcome.wire)
    return _summary(outcome, config)


def _summary(outcome: Outcome, config: HouseFile) -> dict[str, Any]:
    figures = score(outcome.rows, house=config.house, switches=outcome.switches, writes=outcome.writes)
    return {
        "score": figures.as_dict(),
        "fork_hash": outcome.fork_hash,
        "trace_hash": outcome.trace_hash,
        "plan_seconds": outcome.plan_seconds,
        "gaps_eur": outcome.gaps_eur,
        "checks": outcome.checks,
        "breaches": outcome.breaches,
    }


if __name__ == "__main__":
    sys.exit(main())
