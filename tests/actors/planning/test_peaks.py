"""The highest quarter hour of the month: measured, and remembered through restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from actors.memory import MemoryPeaks
from actors.planning.peaks import MonthPeak, PeakStore
from actors.store.peaks import PEAKS_FILE, FilePeaks

PRAGUE = ZoneInfo("Europe/Prague")
NOON = datetime(2021, 2, 8, 12, tzinfo=UTC)


def month_peak(store: PeakStore, *, stale_s: float = 300.0) -> MonthPeak:
    return MonthPeak(PRAGUE, store, stale_s=stale_s)


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
    peak = month_peak(MemoryPeaks())
    at = measured(peak, (9.0, 3.0, 0.0), (5.0, 5.0, 5.0), (2.0, 2.0, 2.0))
    assert peak.measured_kw(at) == pytest.approx(5.0)


def test_a_fragment_of_a_quarter_hour_counts_for_as_long_as_it_was_seen() -> None:
    peak = month_peak(MemoryPeaks())
    peak.see(NOON + timedelta(minutes=14, seconds=50), 9.0)  # the house has just started
    at = NOON + timedelta(minutes=15)
    peak.see(at, 0.0)
    assert peak.measured_kw(at) == pytest.approx(9.0 * 10 / 900)


def test_readings_count_by_their_time_and_not_by_their_number() -> None:
    peak = month_peak(MemoryPeaks())
    for second in range(10):  # a burst, and then nothing new for five minutes at a time
        peak.see(NOON + timedelta(seconds=second), 9.0)
    for minute in (0.15, 5, 10, 15):
        peak.see(NOON + timedelta(minutes=minute), 1.0)
    assert peak.measured_kw(NOON + timedelta(minutes=15)) == pytest.approx((9 * 9.0 + 891 * 1.0) / 900)


def test_a_reading_is_not_stretched_over_a_time_when_nobody_looked() -> None:
    peak = month_peak(MemoryPeaks(), stale_s=60.0)
    peak.see(NOON, 9.0)
    peak.see(NOON + timedelta(minutes=14), 9.0)
    peak.see(NOON + timedelta(minutes=14, seconds=45), 9.0)
    peak.see(NOON + timedelta(minutes=15, seconds=45), 0.0)
    assert peak.measured_kw(NOON + timedelta(minutes=15)) == pytest.approx(9.0 / 15)
    peak.see(NOON + timedelta(minutes=40), 9.0)
    assert peak.measured_kw(NOON + timedelta(minutes=40)) == pytest.approx(9.0 / 15), "and on into the next: 45 s"


def test_a_clock_that_is_set_back_adds_nothing() -> None:
    peak = month_peak(MemoryPeaks())
    peak.see(NOON + timedelta(minutes=16), 9.0)
    peak.see(NOON + timedelta(minutes=14), 9.0)
    peak.see(NOON + timedelta(minutes=15), 0.0)
    assert peak.measured_kw(NOON + timedelta(minutes=15)) == pytest.approx(9.0 / 15)


def test_feeding_in_does_not_lower_what_was_imported() -> None:
    peak = month_peak(MemoryPeaks())
    assert peak.measured_kw(measured(peak, (6.0, -6.0, 0.0))) == pytest.approx(2.0)


def test_a_new_month_of_the_houses_calendar_begins_at_nothing() -> None:
    peak = month_peak(MemoryPeaks())
    late = datetime(2021, 2, 28, 22, 30, tzinfo=UTC)  # 23:30 in Prague
    measured(peak, (7.0, 7.0, 7.0), start=late)
    assert peak.measured_kw(late) == pytest.approx(7.0)
    assert peak.measured_kw(late + timedelta(minutes=31)) == 0.0


def test_the_peak_survives_a_restart(tmp_path: Path) -> None:
    at = measured(month_peak(FilePeaks(tmp_path)), (4.0, 4.0, 4.0))
    assert month_peak(FilePeaks(tmp_path)).measured_kw(at) == pytest.approx(4.0)


@pytest.mark.parametrize("content", ["", "{}", '{"sha256": "0", "content": {"year": 2021}}'])
def test_a_broken_file_means_that_no_peak_is_known_and_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / PEAKS_FILE).write_text(content)
    store = FilePeaks(tmp_path)
    assert month_peak(store).measured_kw(NOON) == 0.0
    assert PEAKS_FILE in store.problem
    store.save((2021, 2), 3.0)
    assert store.problem == "" and FilePeaks(tmp_path).load() == ((2021, 2), 3.0)
