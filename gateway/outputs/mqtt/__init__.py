"""MQTT: one retained topic per Tag and per Alarm, every alarm and incident event as a message of its own.

    PREFIX/<site>/status                                            retained; the will says offline
    PREFIX/<site>/gateway/<tag>                                     retained
    PREFIX/<site>/gateway/alarms/<kind>                             retained
    PREFIX/<site>/<area>/<line>/<asset>/<tag>                       retained
    PREFIX/<site>/<area>/<line>/<asset>/alarms/<kind>               retained
    PREFIX/<site>/<area>/<line>/<asset>/nodes/<node>/<tag>          retained
    PREFIX/<site>/<area>/<line>/<asset>/nodes/<node>/alarms/<kind>  retained
    PREFIX/<site>/events/alarms      PREFIX/<site>/events/incidents      PREFIX/<site>/events/gaps
    PREFIX/<site>/commands           PREFIX/<site>/commands/results     only with `commands = true`

Everything is JSON at QoS 1. An event's `id` is the same each time it is sent: who keeps ids gets each event once. A gap
names the events that could not be kept until the broker was back. Retained topics of what has left the plant are
cleared, as far as the broker shows them.
Whoever may publish on the commands topic may acknowledge: the broker's access list is the authentication.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from gateway.core.plant import Plant, TagId
from gateway.core.update import AlarmChange, IncidentChange, Quality, TagChange, Update
from gateway.mqtt import Connection, Message
from gateway.mqtt.packets import text
from gateway.outputs import Gap, Host, OutputFailed, Present
from gateway.outputs.mqtt.broker import connection
from gateway.outputs.mqtt.commands import Commands
from gateway.outputs.mqtt.payloads import (
    TagForm,
    alarm_payload,
    encoded,
    gap_payload,
    incident_payload,
    quiet_payload,
    status_payload,
)
from gateway.outputs.mqtt.settings import Settings
from gateway.outputs.mqtt.sweep import Sweep, fingerprint
from gateway.outputs.mqtt.topics import Topics

__all__ = ["Output", "Settings", "addresses"]

AT_ONCE = 500  # messages that are written out at once: others have their turn of the loop between them
FAREWELL_S = 1.0  # how long closing waits for a broker that does not answer
PLANT_MARK = "topics"  # fingerprint of the topics that were swept for


def addresses(plant: Plant, settings: Settings) -> Mapping[TagId, str]:
    """Topic of each Tag. ValueError if a name cannot stand in a topic."""
    topics = Topics(plant, settings.prefix)
    return {tag: topics.tag(tag) for tag, _ in plant.tags()}


class Output:
    """Publishes on one broker; an Update counts as delivered when the broker has acknowledged it."""

    def __init__(self, settings: Settings) -> None:
        self.tags_per_s = settings.tags_per_s
        self._settings = settings
        self._connection: Connection | None = None
        self._obeying: asyncio.Task[None] | None = None
        self._sweep: Sweep | None = None
        self._swept = asyncio.Event()
        self._refused = ""

    async def open(self, host: Host, present: Present) -> None:
        """Connect, clear what the plant no longer has, publish the whole present state. Raises OutputFailed."""
        s = self._settings
        self._host = host
        self._commands = Commands(host, f"mqtt {s.broker}")
        self._event_of = {change.alarm: change.event for change in present.alarms}
        self._refused = ""
        try:
            self._topics = topics = Topics(host.plant, s.prefix)
            self._forms = {
                tag: (text(topics.tag(tag)), TagForm(kind, host.gateway_id)) for tag, kind in host.plant.tags()
            }
            will = aiomqtt.Will(topics.status, encoded(status_payload(host.gateway_id, None)), qos=1, retain=True)
            name = f"stethos-{host.gateway_id.hex()}"
            self._connection = connection(s, name, will, self._hear, self._refuse)
            await self._connection.__aenter__()
            await self._clear_topics(self._connection)
            await self._deliver(self._state(present))
            if s.commands:
                await self._subscribe(self._connection, topics.commands)
        except (aiomqtt.MqttError, ValueError, OSError) as error:  # ValueError: a name that cannot be one
            raise OutputFailed(f"{s.broker}: {error}") from error
        self._obeying = asyncio.create_task(self._obey(self._connection), name="mqtt commands")

    @property
    def gone(self) -> asyncio.Future[str] | None:
        """Done, with the reason, when the connection has ended."""
        return self._connection.gone if self._connection else None

    async def write(self, batch: Sequence[Update | Gap]) -> None:
        """Publish; returns when the broker has acknowledged every message. Raises OutputFailed."""
        if self._obeying is None:
            raise OutputFailed("not open")
        if self._obeying.done():
            self._obeying.result()
        await self._deliver(message for update in batch for message in self._messages(update))

    async def close(self) -> None:
        """Say offline and disconnect; if the broker does not take that, it publishes the will."""
        here, self._connection = self._connection, None
        obeying, self._obeying = self._obeying, None
        if here is None:
            return
        try:
            if obeying and not here.gone.done():
                async with asyncio.timeout(FAREWELL_S):
                    await here.deliver([self._status(online=False)])
                await here.leave()
        except (aiomqtt.MqttError, TimeoutError):
            self._host.count("unclean_close")
        finally:
            here.abort("closed")
            if obeying:
                obeying.cancel()
                await asyncio.wait({obeying})

    def _hear(self, topic: bytes, payload: bytes, retained: bool) -> None:
        where = topic.decode(errors="replace")
        if where == self._topics.commands and self._settings.commands and self._sweep is None:
            self._commands.put(payload, retained=retained)
        elif self._sweep is not None and retained:
            self._sweep.heard(where, payload)
        elif where == self._topics.status:
            self._swept.set()

    def _refuse(self, why: str) -> None:
        self._refused = why
        self._host.count("refused")

    async def _subscribe(self, here: Connection, topic: str) -> None:
        granted = await here.subscribe(topic, qos=1)
        if any(code.is_failure if isinstance(code, ReasonCode) else code >= 0x80 for code in granted):
            raise OutputFailed(f"{self._settings.broker} refuses the subscription to {topic}")

    async def _clear_topics(self, here: Connection) -> None:
        """Have the broker show what it has retained, and clear what is ours and no longer in the plant: once after
        each change of the plant. Counts `topics_cleared`, `topics_not_shown` where the broker did not let us see.
        """
        keep = set(self._every_topic())
        mark = fingerprint(keep)
        if await self._host.mark(PLANT_MARK) == mark:
            return
        self._sweep = sweep = Sweep(keep, self._host.gateway_id)
        self._swept.clear()
        try:
            await self._look_around(here)
        except (OutputFailed, TimeoutError):
            if here.gone.done():
                raise
            self._host.count("topics_not_shown")
        finally:
            self._sweep = None
        await self._deliver(Message(text(topic), b"", retain=True) for topic in sorted(sweep.stale))
        self._host.count("topics_cleared", len(sweep.stale))
        await self._keep_mark(mark)

    async def _look_around(self, here: Connection) -> None:
        await self._subscribe(here, self._topics.all)
        try:
            # Our own message comes back to us after everything that was retained before.
            await self._deliver([self._status(online=True)])
            async with asyncio.timeout(self._settings.timeout_s):
                await self._swept.wait()
        finally:
            if not here.gone.done():
                await here.unsubscribe(self._topics.all)

    async def _keep_mark(self, mark: int) -> None:
        try:
            await self._host.set_mark(PLANT_MARK, mark)
        except OutputFailed:  # the disk is full: alarms go out all the same, and the next opening sweeps again
            self._host.count("mark_not_kept")

    def _every_topic(self) -> Iterator[str]:
        yield self._topics.status
        for tag, _ in self._host.plant.tags():
            yield self._topics.tag(tag)
        for alarm in self._host.plant.alarm_ids():
            yield self._topics.alarm(alarm)

    def _status(self, *, online: bool) -> Message:
        since_ms = time.time_ns() // 1_000_000 if online else None
        return Message(text(self._topics.status), encoded(status_payload(self._host.gateway_id, since_ms)), retain=True)

    def _state(self, present: Present) -> Iterator[Message]:
        """Every Tag and Alarm of the plant, also those of which nothing is known yet."""
        yield self._status(online=True)
        known = {change.tag: change for change in present.tags}
        for tag in self._forms:
            yield from self._messages(known.get(tag) or TagChange(tag, None, Quality.NO_DATA, 0))
        plant, ids = self._host.plant, self._host.event_ids
        changed = {change.alarm: change for change in present.alarms}
        for alarm in plant.alarm_ids():
            change = changed.get(alarm)
            payload = alarm_payload(plant, change, ids) if change else quiet_payload(plant, alarm, ids.gateway_id)
            yield Message(text(self._topics.alarm(alarm)), encoded(payload), retain=True)

    def _messages(self, update: Update | Gap) -> list[Message]:
        match update:
            case TagChange():
                form = self._forms.get(update.tag)
                if form is None:
                    self._host.count("unplaced")
                    return []
                return [Message(form[0], form[1].payload(update), retain=True)]
            case AlarmChange():
                return self._alarm_messages(update)
            case IncidentChange():
                payload = encoded(incident_payload(update, self._host.event_ids))
                return [Message(text(self._topics.incident_events), payload, retain=False)]
            case Gap():
                self._host.count("events_given_up", update.events)
                payload = encoded(gap_payload(update, self._host.event_ids))
                return [Message(text(self._topics.gaps), payload, retain=False)]

    def _alarm_messages(self, change: AlarmChange) -> list[Message]:
        """The event and, unless a newer one is retained already, the state: missed events are given after `open`."""
        payload = encoded(alarm_payload(self._host.plant, change, self._host.event_ids))
        messages = [Message(text(self._topics.alarm_events), payload, retain=False)]
        try:
            topic = self._topics.alarm(change.alarm)
        except KeyError:
            self._host.count("unplaced")
            return messages
        if change.event >= self._event_of.get(change.alarm, 0):
            self._event_of[change.alarm] = change.event
            messages.append(Message(text(topic), payload, retain=True))
        return messages

    async def _deliver(self, messages: Iterable[Message]) -> None:
        """Publish in this order, and await the last acknowledgement."""
        here = self._connection
        if here is None:
            raise OutputFailed("not open")
        published, messages = 0, iter(messages)
        try:
            while some := list(itertools.islice(messages, AT_ONCE)):
                await here.deliver(some)
                published += len(some)
        except aiomqtt.MqttError as error:
            raise OutputFailed(f"{self._settings.broker}: {error}") from error
        if self._refused:
            raise OutputFailed(f"{self._settings.broker} refuses to be published to: {self._refused}")
        self._host.count("published", published)

    async def _obey(self, here: Connection) -> None:
        results = text(self._topics.results)
        try:
            await self._commands.run(lambda result: here.deliver([Message(results, result, retain=False)]))
        except aiomqtt.MqttError:
            return  # the connection is gone, which the next write says
