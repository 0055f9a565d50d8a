"""Decision cards and the table of marginal costs, as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_TERMS = {
    "wear": "wear of the battery",
    "power": "price on the highest import",
    "limit": "limits of the connection",
    "reserve": "reserve or balancing charge",
    "comfort": "comfort",
    "calm": "changes of mode",
    "stored": "charge left at the end",
    "heat": "heat left at the end",
    "other": "small differences",
}
_QUANTITIES = {"price": "the market's price", "sun": "the sun", "load": "the house's load"}


def money(eur: float, *, plus: bool = True) -> str:
    """EUR with a sign and as many digits as matter."""
    digits = 2 if abs(eur) >= 0.1 else 3
    text = f"{eur:+.{digits}f}" if plus else f"{eur:.{digits}f}"
    return text.replace("-", "\u2212")


def card(answer: Mapping[str, Any]) -> RenderableType:
    """One card: what, why, what else, what would flip it."""
    clock = _Clock(answer)
    return Group(*(Text(line, style=style) for line, style in card_lines(answer, clock)))


def card_lines(answer: Mapping[str, Any], clock: _Clock | None = None) -> Iterator[tuple[str, str]]:
    """The lines of a card and how each is printed."""
    clock = clock or _Clock(answer)
    point, what = str(answer.get("point", "")), str(answer.get("what", ""))
    span = clock.span(answer.get("start"), answer.get("end"))
    yield f"{point}  {what}  {span}{', runs already' if answer.get('running') else ''}", "bold"
    yield f"  {_facts(answer.get('facts') or {})}", ""
    other = answer.get("alternative")
    if not isinstance(other, Mapping):
        yield f"  no alternative: {answer.get('no_alternative') or 'none is known'}", "yellow"
        return
    extra = float(other.get("extra_eur") or 0.0)
    yield "", ""
    saves = "saves" if extra >= 0.0 else "costs"
    yield f"why: it {saves} {money(abs(extra), plus=False)} EUR against the best plan without it", "bold"
    for term in answer.get("terms") or ():
        yield f"  {money(term['eur']):>8} EUR  {_term(term, clock)}", "" if term["eur"] >= 0 else "dim"
    lost = answer.get("more_losses_kwh")
    if isinstance(lost, float) and abs(lost) >= 0.05:
        yield f"{'':>14}  ({abs(lost):.1f} kWh {'more' if lost > 0 else 'less'} lost in battery and inverter)", "dim"
    yield "", ""
    yield f"without it from {clock.span(other.get('start'), other.get('end'))}", "bold"
    for line in _instead(other, clock):
        yield f"  {line}", ""
    yield f"  found by: {other.get('method')}", "dim"
    if answer.get("flips"):
        yield "", ""
        yield "what would flip it", "bold"
        for flip in answer["flips"]:
            yield f"  {_flip(flip, clock)}", ""
        yield f"  found by: {answer.get('flip_method')}", "dim"
    yield from _doubts(answer, extra)


def _doubts(answer: Mapping[str, Any], extra: float) -> Iterator[tuple[str, str]]:
    kept, gap = float(answer.get("kept_eur") or 0.0), answer.get("gap_eur")
    if kept > 0.0:
        yield f"the plan keeps to the one before it, at {money(kept, plus=False)} EUR", "yellow"
    if extra < 0.0:
        known = f" of {money(gap, plus=False)} EUR" if isinstance(gap, float) else ""
        yield f"the alternative is cheaper: the choice lies within what the plan may miss{known}", "yellow"


def _facts(facts: Mapping[str, Any]) -> str:
    parts = []
    if facts.get("soc_start") is not None:
        parts.append(f"SOC {100 * facts['soc_start']:.0f} to {100 * facts['soc_end']:.0f} %")
    for name, word in (
        ("charged_kwh", "charged"),
        ("discharged_kwh", "discharged"),
        ("heated_kwh", "heated"),
        ("import_kwh", "bought"),
        ("export_kwh", "sold"),
    ):
        if (facts.get(name) or 0.0) >= 0.05:
            price = {"import_kwh": "import", "export_kwh": "export"}.get(name)
            at = f" (price {facts[f'{price}_eur_per_kwh']:.3f} EUR/kWh)" if price else ""
            parts.append(f"{facts[name]:.1f} kWh {word}{at}")
    return ", ".join(parts) or "nothing flows"


def _term(term: Mapping[str, Any], clock: _Clock) -> str:
    kind, kwh = str(term["kind"]), term.get("kwh")
    if kwh is None:
        return _TERMS.get(kind, kind)
    verb = {"import": ("buys", "more", "less"), "export": ("sells", "more", "less")}[kind]
    amount = f"{verb[0]} {abs(kwh):.2f} kWh {verb[1] if kwh > 0 else verb[2]}"
    return f"{amount} at {term['eur_per_kwh']:.3f} EUR/kWh, {clock.span(term.get('start'), term.get('end'))}"


def _instead(other: Mapping[str, Any], clock: _Clock) -> Iterator[str]:
    for span in other.get("modes") or ():
        yield f"{clock.span(span['start'], span['end'])}  {span['mode']}"
    for span in other.get("heat") or ():
        more = "more" if span["kwh"] > 0 else "less"
        yield f"{clock.span(span['start'], span['end'])}  {abs(span['kwh']):.1f} kWh {more} heating"
    if not other.get("modes") and not other.get("heat"):
        yield "the energy is taken elsewhere"


def _flip(flip: Mapping[str, Any], clock: _Clock) -> str:
    what = _QUANTITIES.get(str(flip["quantity"]), str(flip["quantity"]))
    unit, now, at = flip["unit"], float(flip["now"]), flip.get("flips_at")
    digits = 3 if unit == "EUR/kWh" else 1

    def number(value: float) -> str:
        return f"{value:.{digits}f}".replace("-", "\u2212")

    told = f"{what} {clock.span(flip['start'], flip['end'])}, {number(now)} {unit} now"
    if at is None:
        low, high = flip["searched"]
        return f"{told}: nothing from {number(low)} to {number(high)}"
    return f"{told}: {'from' if at > now else 'down to'} {number(float(at))}"


def marginal(answer: Mapping[str, Any], wanted: int) -> RenderableType:
    """What more consumption costs, hour by hour; the cheapest hours are marked, and a table that ends early says so."""
    clock, energies = _Clock(answer), answer["energies_kwh"]
    hours: Sequence[Mapping[str, Any]] = answer["hours"]
    table = Table(box=None, header_style="bold", pad_edge=False, title_justify="left")
    table.title = "what more consumption costs, drawn evenly over the hour"
    table.add_column("from", justify="left")
    for energy in energies:
        table.add_column(f"+{energy:g} kWh", justify="right")
    table.add_column("EUR/kWh", justify="right")
    table.add_column("", justify="left")
    first = [float(hour["cost_eur"][0]) for hour in hours]
    cheap = min(first) + 0.05 * (max(first) - min(first)) + 1e-9
    for hour, cost in zip(hours, first, strict=True):
        cells = [
            Text(f"{money(eur, plus=False)}{' !' if bent >= 0.005 else '  '}", style="red" if bent >= 0.005 else "")
            for eur, bent in zip(hour["cost_eur"], hour["bent_eur"], strict=True)
        ]
        mark = Text("cheapest", style="green") if cost <= cheap else Text("")
        table.add_row(Text(clock.day_time(hour["start"])), *cells, f"{cost / energies[0]:.3f}", mark)
    parts: list[RenderableType] = [table]
    if any(bent >= 0.005 for hour in hours for bent in hour["bent_eur"]):
        parts.append(Text("! bends a rule, at a price: the fuse, a room's comfort or the reserve", style="red"))
    if len(hours) < wanted:
        why = "the plan reaches no further, or there was no time for more"
        parts.append(Text(f"{len(hours)} of the {wanted} hours asked for: {why}"))
    return Group(*parts)


class _Clock:
    """Times of an answer in the zone of its house; the day is told where it changes."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self._zone = ZoneInfo(str(answer.get("zone") or "UTC"))
        start = answer.get("asked") or answer.get("issued")
        self._today = self._local(start).date() if start else None

    def _local(self, text: object) -> datetime:
        return datetime.fromisoformat(str(text)).astimezone(self._zone)

    def day_time(self, text: object) -> str:
        at = self._local(text)
        return f"{at:%a %d} {at:%H:%M}"

    def _time(self, at: datetime) -> str:
        return f"{at:%H:%M}" if at.date() == self._today else f"{at:%a} {at:%H:%M}"

    def span(self, start: object, end: object) -> str:
        if start is None or end is None:
            return ""
        a, b = self._local(start), self._local(end)
        last = f"{b:%H:%M}" if a.date() == b.date() else self._time(b)
        return f"{self._time(a)} to {last}"
