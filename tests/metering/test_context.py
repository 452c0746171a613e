"""attribute(): inheritance, decorators of every kind of function, tasks, threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from costtrack.domain.events import Attribution
from costtrack.exceptions import InvalidUsage
from costtrack.metering.context import attribute, current_attribution


def test_outside_of_all_scopes_nothing_is_attributed() -> None:
    assert current_attribution() == Attribution()


def test_an_inner_scope_inherits_and_overrides_and_leaves_no_trace() -> None:
    with attribute(organization="acme", project="search", tags={"a": "1", "b": "1"}):
        with attribute(project="chat", agent="writer", tags={"b": "2"}, stage=None, sprint=""):
            inner = current_attribution()
        outer = current_attribution()
    assert (inner.organization, inner.project, inner.agent) == ("acme", "chat", "writer")
    assert inner.tags == {"a": "1", "b": "2"}
    assert (outer.project, outer.agent, outer.tags) == ("search", "", {"a": "1", "b": "1"})
    assert current_attribution() == Attribution()


def test_none_and_empty_inherit() -> None:
    with attribute(project="search", run="r1"), attribute(project=None, run=""):
        assert (current_attribution().project, current_attribution().run) == ("search", "r1")


def test_an_entity_is_a_pair() -> None:
    with attribute(entity=("hypothesis", "h-1")):
        assert (current_attribution().entity_type, current_attribution().entity_id) == ("hypothesis", "h-1")
    with pytest.raises(InvalidUsage, match="entity"):
        attribute(entity="h-1")


def test_an_unknown_field_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"attribute\(\) got an unexpected argument 'projet'.*sprint.*entity, tags"):
        attribute(projet="x")  # type: ignore[call-arg]


def test_the_scope_ends_with_an_exception() -> None:
    with pytest.raises(RuntimeError), attribute(project="search"):
        raise RuntimeError
    assert current_attribution().project == ""


def test_one_scope_object_may_be_entered_again_inside_itself() -> None:
    scope = attribute(project="search")
    with scope, attribute(project="chat"), scope:
        assert current_attribution().project == "search"
    assert current_attribution().project == ""


def test_a_plain_function_is_attributed_by_the_decorator() -> None:
    @attribute(project="search")
    def add(first: int, *, second: int) -> tuple[int, str]:
        """Adds."""
        return first + second, current_attribution().project

    assert add(1, second=2) == (3, "search")
    assert (add.__name__, add.__doc__) == ("add", "Adds.")


def test_a_coroutine_function_is_attributed_and_still_one() -> None:
    @attribute(project="search")
    async def project() -> str:
        await asyncio.sleep(0)
        return current_attribution().project

    assert asyncio.iscoroutinefunction(project)
    assert asyncio.run(project()) == "search"


def test_a_generator_is_in_its_scope_and_its_consumer_is_not() -> None:
    seen = []

    @attribute(project="search")
    def steps() -> Generator[str, str, str]:
        try:
            sent = yield current_attribution().project
            with attribute(agent="inner"):
                yield sent + current_attribution().project
        except KeyError:
            yield "caught " + current_attribution().project
        finally:
            seen.append(current_attribution().project)
        return "done"

    generator = steps()
    with attribute(project="consumer"):
        assert next(generator) == "search"
        assert current_attribution().project == "consumer"
        assert generator.send("sent ") == "sent search"
        assert current_attribution() == Attribution(project="consumer")
        assert generator.throw(KeyError()) == "caught search"
        with pytest.raises(StopIteration) as end:
            next(generator)
    assert end.value.value == "done"
    closed = steps()
    next(closed)
    closed.close()
    assert seen == ["search", "search"]


def test_an_async_generator_is_in_its_scope_and_its_consumer_is_not() -> None:
    seen = []

    @attribute(project="search")
    async def steps() -> AsyncIterator[str]:
        try:
            yield current_attribution().project
            await asyncio.sleep(0)
            yield current_attribution().project
        finally:
            seen.append(current_attribution().project)

    async def main() -> None:
        async for project in steps():
            assert (project, current_attribution().project) == ("search", "")
        closed = steps()
        await anext(closed)
        await closed.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert seen == ["search", "search"]


def test_two_tasks_of_two_organizations_never_mix() -> None:
    async def work(organization: str) -> set[str]:
        seen = set()
        with attribute(organization=organization):
            for _ in range(20):
                await asyncio.sleep(0)
                seen.add(current_attribution().organization)
                seen.add(await asyncio.to_thread(lambda: current_attribution().organization))
        return seen

    async def main() -> list[set[str]]:
        return await asyncio.gather(work("acme"), work("globex"))

    assert asyncio.run(main()) == [{"acme"}, {"globex"}]


def test_a_task_keeps_the_scope_in_which_it_was_started() -> None:
    async def later() -> str:
        await asyncio.sleep(0.01)
        return current_attribution().project

    async def main() -> str:
        with attribute(project="search"):
            task = asyncio.create_task(later())
        return await task

    assert asyncio.run(main()) == "search"


def test_one_decorator_serves_many_threads_at_once() -> None:
    barrier = threading.Barrier(8)

    @attribute(project="shared")
    def work(agent: str) -> tuple[str, str]:
        with attribute(agent=agent):
            barrier.wait(10)
            return current_attribution().project, current_attribution().agent

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, "abcdefgh"))
    assert results == [("shared", agent) for agent in "abcdefgh"]


def test_a_plain_executor_starts_without_a_scope_unless_it_is_handed_over() -> None:
    with ThreadPoolExecutor(1) as pool, attribute(project="search"):
        assert pool.submit(lambda: current_attribution().project).result() == ""
        assert pool.submit(copy_context().run, lambda: current_attribution().project).result() == "search"


def test_a_generator_with_a_scope_inside_can_be_closed_from_another_context() -> None:
    def steps() -> Iterator[str]:
        with attribute(project="search"):
            yield "one"

    generator = steps()
    copy_context().run(next, generator)
    generator.close()  # type: ignore[attr-defined]
    assert current_attribution() == Attribution()
