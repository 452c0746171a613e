"""The outbox's worker: sends what is due, over all channels at the same time, and tries again what fails.

Several may run at once: each delivery is claimed first. It is sent at least once, and after a crash between sending and
noting it, again, with the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import NamedTuple, TypeVar

from django.db import Error, connections, transaction
from django.db.models import Q
from django.utils import timezone

from costtrack.alerts.channels.outgoing import DeliveryFailed, Outgoing
from costtrack.alerts.channels.send import send
from costtrack.alerts.outgoing_alerts import outgoing_alert
from costtrack.conf import settings
from costtrack.models import AlertChannel, AlertDelivery
from costtrack.models.deliveries import Delivery

CLAIMED_FOR = timedelta(minutes=5)
"""Nobody else sends what is being sent; after so long whoever claimed it has died."""
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
MOST_ATTEMPTS = 24
"""The last one is about 18 hours after the first."""
MOST_PER_CHANNEL = 20
"""Claimed at once, so that a long queue of one channel is in nobody else's way."""
MOST_CHANNELS_AT_ONCE = 8
FAILURES_PER_RUN = 2
"""After so many in a row a channel is left alone until the next run: its receiver is away."""
RUN_SECONDS = 120.0
"""After so long a run begins no more messages: what it has claimed is still its own when the last one ends."""
LATE_SECONDS = 60.0
"""So much longer the last ones may take. Then nobody waits for them: they are sent again when the claim is over."""

logger = logging.getLogger("costtrack")

OneDelivery = TypeVar("OneDelivery", bound=Delivery)


@dataclass(slots=True, kw_only=True)
class Delivered:
    """What became of one run."""

    sent: int = 0
    failed: int = 0
    """To be tried again."""
    dead: int = 0
    """Given up."""

    def __add__(self, other: Delivered) -> Delivered:
        """Both."""
        return Delivered(sent=self.sent + other.sent, failed=self.failed + other.failed, dead=self.dead + other.dead)


class _Attempt(NamedTuple):
    """How sending one of them went."""

    delivery: Delivery
    error: DeliveryFailed | None
    is_tried: bool = True


Prepared = tuple[Delivery, Outgoing | DeliveryFailed]
"""A delivery with its message, or why it has none."""


def deliver_alerts(*, now: datetime | None = None, using: str | None = None) -> Delivered:
    """Send the alerts that are due."""
    alias, instant = using or settings.database, now or timezone.now()
    return deliver_due(AlertDelivery, outgoing_alert, now=instant, using=alias, related=["alert__organization"])


def deliver_due(
    model: type[OneDelivery],
    message_of: Callable[[OneDelivery], Outgoing],
    *,
    now: datetime,
    using: str,
    related: Sequence[str] = (),
) -> Delivered:
    """Send what is due, the oldest of each channel first, for two minutes at most; the next run goes on."""
    ends_at = monotonic() + RUN_SECONDS
    done = Delivered()
    while monotonic() < ends_at:
        claimed = claim(model, now=now, using=using, related=related)
        if not claimed:
            break
        prepared: list[Prepared] = [(one, _message(one, message_of)) for one in claimed]
        done += _send_claimed(prepared, now=now, using=using, ends_at=ends_at)
    return done


def claim(model: type[OneDelivery], *, now: datetime, using: str, related: Sequence[str] = ()) -> list[OneDelivery]:
    """Those that are due, some of each channel that is active, untouched by others for five minutes."""
    rows = model._default_manager.using(using)
    # No wait is longer: what lies further ahead was written by a clock that was wrong.
    is_due = Q(next_attempt_at__lte=now) | Q(next_attempt_at__gt=now + LONGEST_WAIT + CLAIMED_FOR)
    due = rows.filter(is_due, state=Delivery.State.PENDING, channel__is_active=True)
    locking = {"skip_locked": True} if connections[using].features.has_select_for_update_skip_locked else {}
    mine: list[OneDelivery] = []
    for channel_id in list(due.order_by("channel_id").values_list("channel_id", flat=True).distinct()):
        with transaction.atomic(using=using):
            oldest = due.filter(channel=channel_id).order_by("next_attempt_at", "created_at", "pk")
            ids = [one.pk for one in oldest.select_for_update(of=("self",), **locking)[:MOST_PER_CHANNEL]]
            rows.filter(pk__in=ids).update(next_attempt_at=now + CLAIMED_FOR)
        mine += rows.filter(pk__in=ids).select_related("channel", *related).order_by("created_at", "pk")
    return mine


def _message(delivery: OneDelivery, message_of: Callable[[OneDelivery], Outgoing]) -> Outgoing | DeliveryFailed:
    """Its message; one that can not be made keeps no other from being sent."""
    try:
        return message_of(delivery)
    except Error:  # the database is away: the claims end, and all of it is tried again
        raise
    except Exception as error:
        logger.exception("The message of delivery %s can not be made.", delivery.pk)
        return DeliveryFailed(f"The message can not be made: {type(error).__name__}, see the log.")


def _send_claimed(prepared: Sequence[Prepared], *, now: datetime, using: str, ends_at: float) -> Delivered:
    """Send them, each channel's one after the other, and write down at once how each went."""
    by_channel: dict[int, list[Prepared]] = {}
    for one in prepared:
        by_channel.setdefault(one[0].channel.pk, []).append(one)
    done = Delivered()
    last: dict[int, list[_Attempt]] = {}
    for attempt in _attempts(list(by_channel.values()), now=now, ends_at=ends_at):
        done += _note(attempt, now=now, using=using)
        if attempt.is_tried:
            last.setdefault(attempt.delivery.channel.pk, []).append(attempt)
    for channel_id, attempts in last.items():
        _note_channel(channel_id, attempts, now=now, using=using)
    return done


def _attempts(groups: Sequence[Sequence[Prepared]], *, now: datetime, ends_at: float) -> Iterator[_Attempt]:
    """How each went, as soon as it is known. The threads are daemons: one that hangs keeps no job from ending."""
    todo: SimpleQueue[Sequence[Prepared]] = SimpleQueue()
    done: SimpleQueue[_Attempt] = SimpleQueue()
    for group in groups:
        todo.put(group)
    for number in range(min(MOST_CHANNELS_AT_ONCE, len(groups))):
        Thread(target=_work, args=(todo, done, now, ends_at), name=f"costtrack-deliver-{number}", daemon=True).start()
    awaited = sum(map(len, groups))
    for number in range(awaited):
        try:
            yield done.get(timeout=max(0.0, ends_at + LATE_SECONDS - monotonic()))
        except Empty:
            logger.warning("%d deliveries have not ended in time; they are sent again later.", awaited - number)
            return


def _work(todo: SimpleQueue[Sequence[Prepared]], done: SimpleQueue[_Attempt], now: datetime, ends_at: float) -> None:
    """On a thread, without the database, unless a handler or a mail backend of the site uses it."""
    try:
        while True:
            for attempt in _send_all(todo.get_nowait(), now=now, ends_at=ends_at):
                done.put(attempt)
    except Empty:
        return
    finally:
        connections.close_all()


def _send_all(group: Sequence[Prepared], *, now: datetime, ends_at: float) -> Iterator[_Attempt]:
    failures = 0
    for delivery, message in group:
        if failures >= FAILURES_PER_RUN or monotonic() >= ends_at:
            yield _Attempt(delivery, None, is_tried=False)
            continue
        error = message if isinstance(message, DeliveryFailed) else None
        if isinstance(message, Outgoing):
            try:
                send(delivery.channel, message, now=now)
            except DeliveryFailed as failure:
                error = failure
        failures = failures + 1 if error else 0
        yield _Attempt(delivery, error)


def _note(attempt: _Attempt, *, now: datetime, using: str) -> Delivered:
    delivery, error, is_tried = attempt
    if not is_tried:
        _update(delivery, using=using, next_attempt_at=now + FIRST_WAIT)
        return Delivered()
    made = delivery.attempts + 1
    if error is None:
        _update(delivery, using=using, state=Delivery.State.SENT, sent_at=timezone.now(), attempts=made, last_error="")
        return Delivered(sent=1)
    is_over = error.is_permanent or made >= MOST_ATTEMPTS
    _update(
        delivery,
        using=using,
        state=Delivery.State.DEAD if is_over else Delivery.State.PENDING,
        attempts=made,
        next_attempt_at=now + wait_after(made),
        last_error=str(error),
    )
    return Delivered(dead=int(is_over), failed=int(not is_over))


def _update(delivery: Delivery, *, using: str, **values: object) -> None:
    rows = type(delivery)._default_manager.using(using).filter(pk=delivery.pk, state=Delivery.State.PENDING)
    rows.update(**values)


def _note_channel(channel_id: int, attempts: Sequence[_Attempt], *, now: datetime, using: str) -> None:
    """What its channel says of itself: when it last worked, and what is wrong, if the last attempt failed."""
    channels = AlertChannel.objects.using(using).filter(pk=channel_id)
    if any(one.error is None for one in attempts):
        channels.update(last_sent_at=now)
    error = attempts[-1].error
    if error is not None:
        channels.update(last_error=str(error), last_error_at=now)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 30 s, doubled each time, an hour at most."""
    doublings: int = 2 ** min(attempts - 1, 12)
    return min(LONGEST_WAIT, FIRST_WAIT * doublings)
