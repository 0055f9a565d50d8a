"""docs/mqtt.md says what the code says, as it is today."""

from __future__ import annotations

import json

from actors.links.topics import SUBSCRIPTIONS, TOPICS
from models.twins.house import HouseTwin
from models.types.mqtt import Mqtt
from pems_actors import mqtt_docs
from pems_actors.twin_process import SUBSCRIPTIONS as HEARD_BY_THE_TWIN


def test_the_page_is_current() -> None:
    assert mqtt_docs.PATH.read_text(encoding="utf-8") == mqtt_docs.text(), "python -m pems_actors.mqtt_docs"


def test_every_topic_and_setting_is_told_with_an_example() -> None:
    page, payloads = mqtt_docs.text(), mqtt_docs.examples()
    for topic in TOPICS:
        assert f"| `{topic.name}` |" in page
        assert isinstance(json.loads(payloads[topic.name]), dict)
    for name in Mqtt.model_fields:
        assert f"| `{name}` |" in page


def test_all_that_the_twin_says_and_hears_has_its_row() -> None:
    said = {t.name.replace("{room}", mqtt_docs.ROOM) for t in TOPICS if t.way == "to PEMS"}
    assert {t for t in mqtt_docs._said_by_the_twin() if "pracovna" not in t} == said
    ours = {t.filter for t in TOPICS if t.way == "from PEMS" and t.name != "pems/status"}
    assert set(HEARD_BY_THE_TWIN) == ours
    assert len(SUBSCRIPTIONS) == len(set(SUBSCRIPTIONS))
    assert HouseTwin.__doc__
