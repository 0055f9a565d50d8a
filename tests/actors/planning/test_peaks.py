"""The highest quarter hour of the month: measured, and remembered through restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from actors.memory import MemoryPeaks
from actors.planning.peaks import MonthPeak
from actors.store.peaks import PEAKS_FILE, FilePeaks

PRAGUE = ZoneInfo("Europe/Prague")
NOON = datetime(2021, 2, 8, 12, tzinfo=UTC)


def measured(peak: MonthPeak, *quarters: tuple[float, ...], start: datetime = NOON) -> datetime:
    """Readings five minutes apart, three to a quarter hour; when the last quarter hour was over."""
    at = start
    for kws in quarters:
        for i, kw in enumerate(kws):
            peak.see(at + timedelta(minutes=5 * i), kw)
        at += timedelta(minutes=15)
    peak.see(at, 0.0)
    return at


def test_a_quarter_hours_mean_counts_and_not_its_highest_reading() -> None:
    peak = MonthPeak(PRAGUE, MemoryPeaks())
    at = measured(peak, (9.0, 3.0, 0.0), (5.0, 5.0, 5.0), (2.0, 2.0, 2.0))
    assert peak.measured_kw(at) == pytest.approx(5.0)


def test_feeding_in_does_not_lower_what_was_imported() -> None:
    peak = MonthPeak(PRAGUE, MemoryPeaks())
    assert peak.measured_kw(measured(peak, (6.0, -6.0, 0.0))) == pytest.approx(2.0)


def test_a_new_month_of_the_houses_calendar_begins_at_nothing() -> None:
    peak = MonthPeak(PRAGUE, MemoryPeaks())
    late = datetime(2021, 2, 28, 22, 30, tzinfo=UTC)  # 23:30 in Prague
    measured(peak, (7.0, 7.0, 7.0), start=late)
    assert peak.measured_kw(late) == pytest.approx(7.0)
    assert peak.measured_kw(late + timedelta(minutes=31)) == 0.0


def test_the_peak_survives_a_restart(tmp_path: Path) -> None:
    at = measured(MonthPeak(PRAGUE, FilePeaks(tmp_path)), (4.0, 4.0, 4.0))
    assert MonthPeak(PRAGUE, FilePeaks(tmp_path)).measured_kw(at) == pytest.approx(4.0)


@pytest.mark.parametrize("content", ["", "{}", '{"sha256": "0", "content": {"year": 2021}}'])
def test_a_broken_file_means_that_no_peak_is_known_and_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / PEAKS_FILE).write_text(content)
    store = FilePeaks(tmp_path)
    assert MonthPeak(PRAGUE, store).measured_kw(NOON) == 0.0
    assert PEAKS_FILE in store.problem
    store.save((2021, 2), 3.0)
    assert store.problem == "" and FilePeaks(tmp_path).load() == ((2021, 2), 3.0)
