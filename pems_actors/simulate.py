"""`simulate`: several policies on the same house and weather, side by side in processes, and what they cost."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from config.schema import HouseFile
from models.errors import ConfigError, PemsError
from models.scorecard import PlanStats
from models.strategy import strategies
from pems_actors.evidence import read_policy, write_house
from pems_actors.simulation.policy import POLICIES
from pems_actors.simulation.recorder import SAMPLE
from pems_actors.simulation.world import Recorded

Progress = Callable[[str, float], None]  # policy, share of its run
SLOWEST_FIRST = ("pems", "foresight", "smart", "rules", "none")


def simulate(
    config: HouseFile,
    start: date,
    days: float,
    seed: int,
    replan_s: float,
    out: Path | None,
    policies: tuple[str, ...] | None,
    progress: Progress,
) -> dict[str, Any]:
    """Run policies over one period and score them.

    Parameters
    ----------
    start : date
        First local day, from midnight on.
    days, seed, replan_s
        Length [d]; of everything random; seconds between plans.
    out : Path or None
        Folder for the evidence (POLICY.csv, wire.jsonl, house.json); None: it is not kept.
    policies : tuple of str or None
        None: all five.
    progress : callable
        Called with a policy and its share done, from several threads.

    Returns
    -------
    dict
        The scorecard, ready for JSON.

    Raises
    ------
    ConfigError, DataError
        A mistake in the arguments or files.
    PemsError
        A policy's process failed.
    """
    chosen = POLICIES if policies is None else policies
    unknown = [p for p in chosen if p not in POLICIES]
    if unknown:
        raise ConfigError(f"policy {unknown[0]!r} is not known", hint=f"one of {', '.join(POLICIES)}")
    tick_s = config.simulation.tick_s
    if SAMPLE.total_seconds() % tick_s:
        raise ConfigError(
            f"[simulation] tick_s {tick_s:g} does not divide {SAMPLE.total_seconds():g} s",
            hint="the twin is looked at then, and must be there: choose 60, 100, 150 or 300",
        )
    Recorded.of(config, seed).begins(start, config, days)  # mistakes are told before anything starts
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) if out is None else out
        write_house(folder, config.house)
        jobs = {
            policy: {
                "policy": policy,
                "config": json.loads(config.model_dump_json()),
                "start": start.isoformat(),
                "days": days,
                "seed": seed,
                "replan_s": replan_s,
                "out": str(folder),
            }
            for policy in sorted(chosen, key=SLOWEST_FIRST.index)
        }
        results = _side_by_side(jobs, progress)
        card = _card({p: results[p] for p in POLICIES if p in results}, seed)
        _tell_strategies(card["policies"], folder, config)
    return card


def _tell_strategies(scores: dict[str, dict[str, Any]], folder: Path, config: HouseFile) -> None:
    """Add what each policy did, as the evidence of all of them tells it."""
    rows = {policy: read_policy(folder / f"{policy}.csv") for policy in scores}
    switches = {policy: figures["relay_switches"] for policy, figures in scores.items()}
    for policy, told in strategies(rows, house=config.house, switches=switches).items():
        scores[policy] = scores[policy] | told.as_dict()


def _side_by_side(jobs: Mapping[str, dict[str, Any]], progress: Progress) -> dict[str, dict[str, Any]]:
    running: list[subprocess.Popen[str]] = []
    lock = threading.Lock()

    def one(policy: str) -> dict[str, Any]:
        return _child(jobs[policy], lambda share: progress(policy, share), running, lock)

    with ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, len(jobs)))) as pool:
        futures = {policy: pool.submit(one, policy) for policy in jobs}
        try:
            return {policy: future.result() for policy, future in futures.items()}
        except BaseException:  # Ctrl-C, or one failed: the others are not waited for
            for future in futures.values():
                future.cancel()
            with lock:
                for process in running:
                    process.kill()
            raise


def _child(
    job: dict[str, Any], progress: Callable[[float], None], running: list[subprocess.Popen[str]], lock: threading.Lock
) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # one core each
    process = subprocess.Popen(
        [sys.executable, "-m", "pems_actors.simulation.child"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )
    with lock:
        running.append(process)
    trouble: list[str] = []
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    reader = threading.Thread(target=_drain, args=(process.stderr, trouble), daemon=True)
    reader.start()
    process.stdin.write(json.dumps(job))
    process.stdin.close()
    result: dict[str, Any] | None = None
    problem = ""
    for text in process.stdout:
        said = json.loads(text)
        if "progress" in said:
            progress(said["progress"])
        result = said.get("result", result)
        problem = said.get("error", problem)
    process.wait()
    reader.join(2.0)
    if result is None:
        last = problem or (trouble[-1] if trouble else f"exit code {process.returncode}")
        raise PemsError(f"policy {job['policy']} failed: {last}")
    return result


def _drain(stream: Any, into: list[str]) -> None:
    for text in stream:
        if text.strip():
            into.append(text.strip())
            del into[:-50]


def _card(results: Mapping[str, dict[str, Any]], seed: int) -> dict[str, Any]:
    forks = {r["fork_hash"] for r in results.values()}
    if len(forks) > 1:
        raise PemsError("the policies did not begin in one state", hint="this is a fault of the simulation: report it")
    checks: dict[str, int] = {}
    for result in results.values():
        for name, count in result["checks"].items():
            checks[name] = checks.get(name, 0) + count
    breaches = [f"{policy}: {text}" for policy, r in results.items() for text in r["breaches"]]
    pems = results.get("pems", {"plan_seconds": [], "gaps_eur": []})
    text = json.dumps({p: r["trace_hash"] for p, r in results.items()}, sort_keys=True)
    return {
        "policies": {p: r["score"] for p, r in results.items()},
        "violations": len(breaches),
        "breaches": breaches[:50],
        "checks": dict(sorted(checks.items(), key=lambda item: int(item[0]))),
        "plans": asdict(PlanStats.of(pems["plan_seconds"], pems["gaps_eur"])),
        "trace_hash": hashlib.sha256(text.encode()).hexdigest(),
        "seed": seed,
    }
