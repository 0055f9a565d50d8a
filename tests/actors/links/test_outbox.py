"""The outbox: one slot per point, the latest wish wins, nothing after its time; and the inbox on the other side."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.links.inbox import IN_A_ROW, TOPICS, Inbox
from actors.links.outbox import Outbox
from actors.messages import Incoming, Outgoing


def wish(slot: str, payload: str = "", expires_s: float = 100.0) -> Outgoing:
    return Outgoing(topic=f"to/{slot}", payload=payload.encode(), expires_s=expires_s, slot=slot)


def taken(box: Outbox, at_s: float = 0.0) -> list[str]:
    found = []
    while (message := box.take(at_s)) is not None:
        found.append(message.payload.decode())
    return found


def test_what_waits_goes_out_in_the_order_of_the_last_wishes() -> None:
    box = Outbox()
    for slot, payload in (("a", "a1"), ("b", "b1"), ("a", "a2")):
        box.put(wish(slot, payload))
    assert taken(box) == ["b1", "a2"]
    assert box.replaced == 1


def test_nothing_goes_out_at_or_after_its_end() -> None:
    box = Outbox()
    box.put(wish("a", "a", expires_s=10.0))
    box.put(wish("b", "b", expires_s=20.0))
    assert taken(box, at_s=10.0) == ["b"]
    assert box.expired == 1
    box.put(wish("c", "c", expires_s=30.0))
    box.expire(30.0)
    assert (len(box), box.expired) == (0, 2)


def test_what_was_not_confirmed_goes_first_unless_something_newer_is_wished() -> None:
    box = Outbox()
    sent = [wish("b", "lost"), wish("a", "old"), wish("c", "lost too")]
    for message in sent:
        box.put(message)
        assert box.take(0.0) is message
    box.put(wish("a", "new"))
    box.give_back(sent)
    assert taken(box) == ["lost", "lost too", "new"]
    assert box.replaced == 1


def test_what_was_not_confirmed_never_returns_after_a_later_wish_has_gone_out() -> None:
    box = Outbox()
    old, new = wish("a", "on"), wish("a", "off")
    for message in (old, new):
        box.put(message)
        assert box.take(0.0) is message
    box.give_back([old])
    assert taken(box) == []
    box.give_back([new])
    assert taken(box) == ["off"]


def test_a_wish_is_withdrawn_by_one_that_is_over_already() -> None:
    box = Outbox()
    sent = wish("a", "on")
    box.put(sent)
    assert box.take(0.0) is sent
    box.put(wish("b", "on"))
    for slot in "ab":
        box.put(wish(slot, "", expires_s=5.0))
    box.give_back([sent])
    assert taken(box, at_s=5.0) == []


def test_a_full_outbox_gives_up_its_oldest_and_counts_it() -> None:
    box = Outbox(bound=3)
    for i in range(5):
        box.put(wish(str(i), str(i)))
    assert (taken(box), box.shed) == (["2", "3", "4"], 2)


OPERATION = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abcd"), st.floats(0, 20)),
    st.tuples(st.just("take"), st.just(""), st.floats(0, 20)),
    st.tuples(st.just("back"), st.sampled_from("abcd"), st.floats(0, 20)),
    st.tuples(st.just("expire"), st.just(""), st.floats(0, 20)),
)


@settings(max_examples=200)
@given(st.lists(OPERATION, max_size=40))
def test_whatever_happens_only_the_latest_valid_wish_of_a_slot_goes_out_and_each_is_counted(
    operations: list[tuple[str, str, float]],
) -> None:
    box, newest, put, sent, given_back = Outbox(), dict[str, int](), 0, list[Outgoing](), list[Outgoing]()
    at_s = 0.0
    for number, (what, slot, seconds) in enumerate(operations):
        match what:
            case "put":
                box.put(wish(slot, str(number), expires_s=at_s + seconds))
                newest[slot] = number
                put += 1
            case "take":
                at_s += seconds / 10
                message = box.take(at_s)
                if message is not None:
                    assert at_s < message.expires_s
                    assert int(message.payload) == newest[message.slot]
                    sent.append(message)
            case "back":
                lost = [m for m in sent if m.slot == slot and m not in given_back][-1:]
                box.give_back(lost)
                given_back += lost
            case _:
                at_s += seconds
                box.expire(at_s)
    assert put + len(given_back) == len(sent) + box.replaced + box.expired + box.shed + len(box)
    assert len(box) <= 4


# --- inbox ------------------------------------------------------------------------------------------------------------
def arrival(topic: str, number: int) -> Incoming:
    return Incoming(topic=topic, payload=str(number).encode(), retained=False, received_s=float(number))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(("state/1", "state/2", "each/1", "each/2")), st.booleans()), max_size=60))
def test_arrivals_keep_their_order_and_nothing_is_lost_silently(arrivals: list[tuple[str, bool]]) -> None:
    inbox = Inbox(lambda topic: topic.startswith("each"))
    handed: list[Incoming] = []
    for number, (topic, look) in enumerate(arrivals):
        inbox.put(arrival(topic, number))
        if look:
            handed += inbox.take()
    handed += inbox.take()
    numbers = [int(m.payload) for m in handed]
    assert numbers == sorted(numbers)
    assert inbox.received == len(handed) + inbox.coalesced + inbox.dropped
    assert sum(m.topic.startswith("each") for m in handed) == sum(t.startswith("each") for t, _ in arrivals)
    for topic in {t for t, _ in arrivals}:
        last = max(i for i, (t, _) in enumerate(arrivals) if t == topic)
        assert [m for m in handed if m.topic == topic][-1].payload == str(last).encode()


def test_the_inbox_is_bounded_whatever_topics_somebody_makes_up() -> None:
    inbox = Inbox(lambda topic: topic == "each")
    for i in range(3 * TOPICS):
        inbox.put(arrival(f"made/up/{i}", i))
    for i in range(2 * IN_A_ROW):
        inbox.put(arrival("each", i))
    assert len(inbox) <= TOPICS + IN_A_ROW
    assert inbox.received == len(inbox.take()) + inbox.dropped + inbox.coalesced
