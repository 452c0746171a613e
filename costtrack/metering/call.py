"""Call: one metered call, as its block sees it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from costtrack.domain.events import Outcome, ResourceType, UsageEvent
from costtrack.domain.tokens import TokenUsage
from costtrack.metering.attribution import GivenAttribution
from costtrack.metering.cleaning import text_of
from costtrack.metering.context import given_here
from costtrack.metering.database_thread import run_sync
from costtrack.metering.errors import error_fields
from costtrack.metering.estimate import GivenInput
from costtrack.metering.given_fields import EventFields
from costtrack.metering.nested import MeteredInside, metered_around_here
from costtrack.metering.observed import Observed
from costtrack.metering.open_calls import open_calls
from costtrack.metering.recorded import RecordedUsage
from costtrack.metering.streams import Stream, metered_stream

if TYPE_CHECKING:
    from costtrack.budgets.admission import Granted

LLM_TOKENS = ResourceType.LLM_TOKENS.value
logger = logging.getLogger("costtrack")


class Call:
    """What `with meter(...) as call:` gives. Nothing that a provider sent makes its methods raise.

    Each response that is observed becomes a ledger row of its own, so a tool-use loop may run inside one block. One
    that a metered call inside the block charges already (the same object, the same id, or its model and counts given
    to `record_usage`) adds none.
    """

    def __init__(self, fields: EventFields, given: GivenAttribution) -> None:
        """Begins now, attributed to `given` over what is in force here."""
        self.given = fields
        """What was given to `meter`, as `build_event` takes it."""
        self.said: EventFields = {}
        """What was said since, about the last response."""
        self.metadata: dict[str, Any] = dict(fields.get("metadata") or {})
        self.attribution = given.over(given_here())
        self.is_llm = fields.get("resource_type", LLM_TOKENS) == LLM_TOKENS
        """Whether tokens are metered: no tool, no GPU."""
        provider, model = fields.get("provider", ""), fields.get("model", "")
        self.observed = Observed(
            provider=provider if type(provider) is str else text_of("provider", provider),
            model=model if type(model) is str else text_of("model", model),
        )
        self._inside: MeteredInside | None = None
        self._around = metered_around_here() if open_calls.get() else ()
        self._announced: tuple[MeteredInside, ...] = ()
        self.events: list[UsageEvent] = []
        """After the block: what was, or should have been, recorded."""
        self.results: tuple[RecordedUsage, ...] = ()
        """After the block: the ledger rows, one per observed response; empty if others charge them or all were lost."""
        self.problems: list[str] = []
        self.hold_id: UUID | None = None
        """The reservation that this call settles; None if no budget asked for one."""
        self.hold_leases = ""
        """What it takes of which leases, where Redis granted it."""
        self.occurred_at = datetime.now(UTC)
        self.began = perf_counter()

    @property
    def inside(self) -> MeteredInside:
        """What other calls meter while this one is open."""
        if self._inside is None:
            self._inside = MeteredInside(self.attribution)
        return self._inside

    @inside.setter
    def inside(self, inside: MeteredInside) -> None:
        self._inside = inside

    @property
    def has_calls_inside(self) -> bool:
        """Whether an LLM call was metered inside."""
        return self._inside is not None and self._inside.has_calls

    def announce(self) -> None:
        """Tell the calls around this one, where it was made and where it runs, that it will charge what it sees.

        Each is told once. A stream may be handed to another metered function after it was made: tell it again there.
        """
        if not self.is_llm or not (self._around or open_calls.get()):
            return
        here = metered_around_here()
        if self._around:
            here = (*self._around, *here)
            self._around = ()
        for around in here:
            if around is not self._inside and around not in self._announced:
                self._announced = (*self._announced, around)
                around.add(self.observed)

    def restart(self) -> None:
        """Begin now."""
        self.occurred_at = datetime.now(UTC)
        self._start_clock()

    def begin_with(self, granted: Granted | None) -> None:
        """Begin, admitted; it is booked at the instant at which it asked, and did not last while it waited for that."""
        if granted is not None:
            self.hold_id, self.hold_leases = granted.hold_id, granted.leases
        self._start_clock()

    def _start_clock(self) -> None:
        self.began = perf_counter()
        self.observed.restart()

    def close(self) -> None:
        """The call is over: no response is kept alive for it, or to be found again in it."""
        if self._inside is not None:
            self._inside.end()
        self.observed.close()

    def observe(self, response: object) -> None:
        """Take tokens, model, id, cost, tier and finish reason from a provider's response, of any make.

        The same response again changes nothing; another one is another call. For streams there is `observe_stream`.
        """
        self.observed.response(response, is_seen_inside=self.has_calls_inside and self.inside.knows(response))

    def observe_stream(self, stream: Stream) -> Stream:
        """The stream, to be iterated in its place; the usage in its chunks is noted as they pass."""
        self.observed.begin_stream(stream)
        return metered_stream(stream, on_chunk=self._stream_chunk, on_end=self.observed.stream_ended)

    def _stream_chunk(self, chunk: object) -> None:
        self.observed.chunk(chunk, is_seen_inside=self.has_calls_inside and self.inside.knows(chunk))

    def set_input(self, *inputs: object) -> None:
        """Say what the model is given to read: a prompt, the messages, the tools. Nothing of it is ever stored.

        It is looked at only if the provider never says how much that was, because its stream breaks or the call is cut
        off. Then its characters are counted, and the row's input is an estimate, flagged `is_estimated`. Say it before
        the call, or before the stream that it is for.
        """
        self.observed.given_input(GivenInput(*inputs))

    def set_usage(
        self,
        *,
        tokens: TokenUsage | None = None,
        input_tokens: object = None,
        output_tokens: object = None,
        cache_read_tokens: object = None,
        cache_write_tokens: object = None,
        cache_write_1h_tokens: object = None,
        input_audio_tokens: object = None,
        reasoning_tokens: object = None,
        output_audio_tokens: object = None,
        model: str | None = None,
        cost_usd: object = None,
        is_estimated: bool | None = None,
    ) -> None:
        """Say what was used; wins over what was observed, None says nothing.

        `input_tokens` and `output_tokens` are totals, the others parts of them. `cost_usd` is a cost that the
        provider reported. A figure that is not acceptable is left out, and noted in the row's metadata.
        """
        said: dict[str, object] = {
            "tokens": tokens,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cache_read_tokens": cache_read_tokens,
            "cache_write_tokens": cache_write_tokens,
            "cache_write_1h_tokens": cache_write_1h_tokens,
            "input_audio_tokens": input_audio_tokens,
            "reasoning_tokens": reasoning_tokens,
            "output_audio_tokens": output_audio_tokens,
            "model": model,
            "reported_cost_usd": cost_usd,
            "is_estimated": is_estimated,
        }
        self.said.update({name: value for name, value in said.items() if value is not None})  # type: ignore[typeddict-item]

    @property
    def amount(self) -> object:
        """Units of the resource type; None = derived: the tokens, or 1 for an API call that succeeded."""
        return self.said.get("amount", self.given.get("amount"))

    @amount.setter
    def amount(self, amount: object) -> None:
        self.said["amount"] = amount

    def set_amount(self, amount: object) -> None:
        """Say how many units were used, e.g. the seconds of a GPU job."""
        self.amount = amount

    def add_metadata(self, values: object = None, /, **more: Any) -> None:
        """Add to the row's metadata, by mapping or keyword: temperature, sizes. Never prompts or completions."""
        if isinstance(values, Mapping):
            self.metadata.update(values)
        elif values is not None:
            self.problems.append(f"metadata: got a {type(values).__name__}, expected a mapping")
        self.metadata.update(more)

    def set_error(self, error: BaseException | str) -> None:
        """Book the call as failed although no exception leaves the block."""
        self.said["outcome"] = Outcome.ERROR
        self.said.update(error_fields(error))

    @property
    def result(self) -> RecordedUsage | None:
        """After the block: what was recorded (the last row, if several); None if it could not be."""
        return self.results[-1] if self.results else None

    @property
    def cost_usd(self) -> Decimal | None:
        """US dollars, by the rates in force, of the ledger once it is recorded. None = no price is known."""
        from costtrack.metering.finish import costs_now

        costs: list[Decimal | None]
        try:
            if self.results and all(result.status != "spooled" for result in self.results):
                costs = [result.cost_usd for result in self.results]
            else:
                costs = run_sync(lambda: costs_now(self))
        except Exception as error:  # after the call nothing raises; it is only not known what it costs
            logger.warning("A metered call could not be priced yet: %s", type(error).__name__)
            return None
        known = [cost for cost in costs if cost is not None]
        return sum(known, Decimal(0)) if len(known) == len(costs) else None
