"""meter(): the worst case is held before the call or the call is refused; what was used settles it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError

from costtrack.exceptions import BudgetExceeded, BudgetUnavailable, InvalidUsage, UnknownWorstCase
from costtrack.metering import finish, holding
from costtrack.metering.attribution import GivenAttribution, Lazy
from costtrack.metering.context import AttributionScope, attribute
from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.metering.record import record_usage
from costtrack.models import Agent, Hold, Organization, Project, RateTier, ResourceUsage
from costtrack.testing import capture_usage
from tests.factories import make_organization, make_rate
from tests.metering.budgeted import make_budget, spent_and_held, states
from tests.metering.responses import chat_completion

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Organization:
    """With test-model at 3 and 15 USD per million: 1000 in and 100 out cost 0.0045."""
    make_rate()
    return make_organization()


CALL: dict[str, Any] = {"organization": "acme", "provider": "openai", "model": "test-model"}
WORST = {"input_tokens": 1000, "max_output_tokens": 1000}
"""1000 x 3 + 1000 x 15 = 18,000 per million: 0.018 USD."""


def test_the_worst_case_is_held_during_the_call_and_what_was_used_is_spent_after_it(acme: Organization) -> None:
    budget = make_budget(acme)
    with meter("chat", **CALL, **WORST) as call:
        assert spent_and_held(budget) == (Decimal(0), Decimal("0.018"))
        assert call.hold_id == Hold.objects.get().id
        call.observe(chat_completion())
    assert spent_and_held(budget) == (Decimal("0.0045"), Decimal(0))
    assert states() == ["settled"]
    assert not Hold.objects.get().is_overrun


def test_all_responses_of_a_tool_loop_are_compared_with_what_was_held(acme: Organization) -> None:
    budget = make_budget(acme)
    with meter("chat", **CALL, **WORST) as call:
        for number in range(5):
            call.observe(chat_completion(response_id=f"chatcmpl-{number}"))
    assert spent_and_held(budget) == (Decimal("0.0225"), Decimal(0))  # 5 x 0.0045, of 0.018 held
    assert states() == ["settled"]
    assert Hold.objects.get().is_overrun


def test_a_call_is_booked_at_the_instant_at_which_it_was_admitted(acme: Organization) -> None:
    make_budget(acme)
    with meter("chat", **CALL, **WORST) as call:
        admitted_at = Hold.objects.get().admitted_at
        call.observe(chat_completion())
    assert ResourceUsage.objects.get().occurred_at == admitted_at


def test_a_call_dated_by_its_caller_is_held_in_the_period_that_it_is_booked_in(acme: Organization) -> None:
    budget = make_budget(acme, period="day")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with meter("chat", **CALL, **WORST, occurred_at=yesterday) as call:
        assert Hold.objects.get().admitted_at == yesterday
        call.observe(chat_completion())
    assert spent_and_held(budget) == (Decimal("0.0045"), Decimal(0))
    assert ResourceUsage.objects.get().occurred_at == yesterday


def test_a_refused_call_is_not_made_and_nothing_is_recorded(acme: Organization) -> None:
    budget = make_budget(acme, "0.02", name="the team's")
    with meter("chat", **CALL, **WORST) as call:
        call.set_usage(input_tokens=1000, output_tokens=0)  # 0.003
    ran = []
    with pytest.raises(BudgetExceeded) as refused, meter("chat", **CALL, **WORST):
        ran.append(1)
    assert ran == []
    assert refused.value.figures == {
        "limit": Decimal("0.02"),
        "spent": Decimal("0.003"),
        "held": Decimal(0),
        "needed": Decimal("0.018"),  # 0.003 + 0.018 > 0.02
    }
    assert str(refused.value).startswith(
        "Budget \"the team's\" of organization 'acme' has no room for this call: it needs up to 0.018 cost_usd, of a "
        "limit of 0.02, 0.003 are spent and 0 held for other calls. It never begins anew."
    )
    assert ResourceUsage.objects.count() == 1
    assert spent_and_held(budget) == (Decimal("0.003"), Decimal(0))


def test_tiers_and_service_tier_are_in_what_is_held(acme: Organization) -> None:
    rate = make_rate("long", "openai")
    RateTier.objects.create(rate=rate, above_input_tokens=200_000, input_usd_per_million=6, output_usd_per_million=30)
    make_rate("long", "openai", per_million=("1", "5"), service_tier="batch")
    budget = make_budget(acme, "10")
    call = {**CALL, "model": "long", "input_tokens": 200_001, "max_output_tokens": 1000}
    with meter("chat", **call):
        assert spent_and_held(budget)[1] == Decimal("1.230006")  # 200,001 x 6 + 1000 x 30
    with meter("chat", **call, service_tier="batch"):
        assert spent_and_held(budget)[1] == Decimal("0.205001")  # 200,001 x 1 + 1000 x 5


def test_an_exception_settles_the_hold_with_nothing_used(acme: Organization) -> None:
    budget = make_budget(acme)
    with pytest.raises(ConnectionError), meter("chat", **CALL, **WORST):
        raise ConnectionError
    assert (spent_and_held(budget), states()) == ((0, 0), ["settled"])
    assert ResourceUsage.objects.get().outcome == "error"


def test_a_block_whose_response_others_charge_releases_its_hold(acme: Organization) -> None:
    budget = make_budget(acme)
    with meter("outer", **CALL, **WORST) as outer:
        with meter("inner", **CALL, **WORST) as inner:
            inner.observe(response := chat_completion())
        outer.observe(response)
    assert ResourceUsage.objects.count() == 1
    assert spent_and_held(budget) == (Decimal("0.0045"), Decimal(0))
    assert sorted(states()) == ["released", "settled"]


def test_a_call_that_used_more_than_was_held_counts_whole_and_is_flagged(acme: Organization) -> None:
    budget = make_budget(acme)
    with meter("chat", **CALL, input_tokens=10, max_output_tokens=10) as call:
        call.observe(chat_completion())
    assert spent_and_held(budget) == (Decimal("0.0045"), Decimal(0))
    assert Hold.objects.get().is_overrun


def test_the_same_key_again_is_no_second_charge_and_keeps_nothing_held(acme: Organization) -> None:
    budget = make_budget(acme)
    for _ in range(2):
        with meter("chat", **CALL, **WORST, idempotency_key="k") as call:
            call.set_usage(input_tokens=1000, output_tokens=100)
    assert spent_and_held(budget) == (Decimal("0.0045"), Decimal(0))
    assert states() == ["settled", "settled"]


def test_without_a_known_worst_case_a_hard_budget_refuses_and_says_why(acme: Organization) -> None:
    make_budget(acme, name="all")
    with pytest.raises(UnknownWorstCase) as refused, meter("chat", **CALL, input_tokens=10):
        pass
    assert refused.value.reason == (
        "its most output tokens are not known; give max_output_tokens, or set MAX_OUTPUT_TOKENS"
    )
    with pytest.raises(UnknownWorstCase) as refused, meter("chat", **{**CALL, "model": "no-price"}, **WORST):
        pass
    assert refused.value.reason == "no price is known for 'no-price' of 'openai'"
    assert ResourceUsage.objects.count() == 0


def test_a_budget_may_admit_calls_whose_price_is_not_known(acme: Organization) -> None:
    budget = make_budget(acme, on_unpriced="admit")
    with meter("chat", **CALL):
        assert spent_and_held(budget) == (0, 0)
    assert Hold.objects.get().is_unpriced
    assert states() == ["settled"]


def test_a_budget_of_calls_needs_to_know_nothing_else(acme: Organization) -> None:
    budget = make_budget(acme, "2", metric="calls")
    for _ in range(2):
        with meter("chat", **CALL):
            assert spent_and_held(budget)[1] == 1
    with pytest.raises(BudgetExceeded), meter("chat", **CALL):
        pass


def test_the_input_is_counted_before_the_call_and_estimates_it_when_it_is_cut_off(acme: Organization) -> None:
    budget = make_budget(acme, "1000", metric="tokens")
    messages = [{"role": "user", "content": "x" * 39}]
    block = meter("chat", **CALL, input=messages, max_output_tokens=50)
    block.__enter__()
    assert spent_and_held(budget)[1] == 60  # 39 characters are 10 tokens, and 50
    block.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    row = ResourceUsage.objects.get()
    assert (row.input_tokens, row.is_estimated) == (10, True)
    assert spent_and_held(budget) == (10, 0)


def test_each_thread_has_its_own_100_000_tokens(acme: Organization) -> None:
    budget = make_budget(acme, "100000", metric="tokens", per="thread")
    call = {**CALL, "input_tokens": 40_000, "max_output_tokens": 10_000}
    for _ in range(2):
        with meter("chat", **call, thread_id="t1") as one:
            one.set_usage(input_tokens=40_000, output_tokens=10_000)
    with pytest.raises(BudgetExceeded) as refused, meter("chat", **call, thread_id="t1"):
        pass
    assert (refused.value.subject, refused.value.metric) == ("t1", "tokens")
    assert refused.value.figures == {"limit": 100_000, "spent": 100_000, "held": 0, "needed": 50_000}
    with meter("chat", **call, thread_id="t2"):
        assert spent_and_held(budget, "t2") == (0, 50_000)
    with meter("chat", **call):  # it is about no thread, and so not this budget's
        assert not Hold.objects.filter(state="held").exists()


def test_of_two_budgets_the_refusal_names_the_one_that_is_over_and_nothing_stays_on_the_other(
    acme: Organization,
) -> None:
    wide = make_budget(acme, "10", name="all")
    narrow = make_budget(acme, "0.01", name="search", project=Project.objects.create(organization=acme, slug="search"))
    with pytest.raises(BudgetExceeded) as refused, meter("chat", **CALL, **WORST, project="search"):
        pass
    assert (refused.value.budget, refused.value.scope) == ("search", {"project": "search"})
    assert spent_and_held(wide) == spent_and_held(narrow) == (0, 0)
    assert Hold.objects.count() == 0
    wide_only = {**CALL, **WORST, "project": "other"}
    with meter("chat", **wide_only):
        assert (spent_and_held(wide)[1], spent_and_held(narrow)[1]) == (Decimal("0.018"), 0)


def test_the_scopes_around_a_call_say_which_budgets_are_asked(acme: Organization) -> None:
    of_feature = make_budget(acme, endpoint="summarize")
    of_customer = make_budget(acme, per="customer")
    of_run = make_budget(acme, run="nightly")
    outer = attribute(organization="acme", customer="c1", run="nightly")
    inner = attribute(endpoint="summarize", run="daily")
    with outer, inner, meter(model="test-model", provider="openai", **WORST) as call:
        held = [spent_and_held(of_feature), spent_and_held(of_customer, "c1"), spent_and_held(of_run)]
        call.observe(chat_completion())
    assert held == [(0, Decimal("0.018")), (0, Decimal("0.018")), (0, 0)]
    assert spent_and_held(of_customer, "c1") == (Decimal("0.0045"), 0)


def test_a_project_and_an_agent_made_a_moment_ago_are_held_by_their_parents(acme: Organization) -> None:
    make_budget(acme, "0.03")
    per_project, per_agent = make_budget(acme, per="project"), make_budget(acme, per="agent")
    with meter("chat", **CALL, **WORST, project="new", agent="newer"):
        project, agent = Project.objects.get(slug="new"), Agent.objects.get(slug="newer")
        assert spent_and_held(per_project, str(project.id)) == (0, Decimal("0.018"))
        assert spent_and_held(per_agent, str(agent.id)) == (0, Decimal("0.018"))
        with pytest.raises(BudgetExceeded), meter("chat", **CALL, **WORST, project="newest", agent="ever"):
            pass  # 0.018 + 0.018 > 0.03, wherever it belongs


def test_a_thread_made_a_moment_ago_gets_no_more_than_its_organization_has(acme: Organization) -> None:
    make_budget(acme, "1", per="thread")
    make_budget(acme, "0.03", name="all")
    one, other = (meter("chat", **CALL, **WORST, thread_id=thread) for thread in ("t1", "t2"))
    with one, pytest.raises(BudgetExceeded) as refused, other:
        pass
    assert refused.value.budget == "all"


def test_the_provider_may_be_told_by_the_rate(acme: Organization) -> None:
    budget = make_budget(acme, provider="openai")
    with meter("chat", organization="acme", model="test-model", **WORST):
        assert spent_and_held(budget)[1] == Decimal("0.018")
    other = make_budget(acme, provider="anthropic")
    with meter("chat", organization="acme", model="test-model", **WORST):
        assert spent_and_held(other) == (0, 0)


def test_a_model_is_known_under_the_id_that_the_ledger_stores(acme: Organization) -> None:
    budget = make_budget(acme, model="test-model")
    with meter("chat", organization="acme", model="OpenAI/Test-Model", **WORST):
        assert spent_and_held(budget)[1] == Decimal("0.018")


def test_what_was_recorded_elsewhere_is_never_refused(acme: Organization) -> None:
    budget = make_budget(acme, "0.001")
    record_usage(**CALL, input_tokens=1000, output_tokens=100)
    assert spent_and_held(budget) == (Decimal("0.0045"), 0)


def test_what_tests_capture_is_not_held(acme: Organization) -> None:
    make_budget(acme, "0")
    with capture_usage() as log, meter("chat", **CALL, **WORST) as call:
        call.observe(chat_completion())
    assert len(log) == 1
    assert (call.hold_id, log[0].hold_id, Hold.objects.count()) == (None, "", 0)


def test_a_lazy_field_that_fails_is_left_out_as_it_is_after_the_call(acme: Organization) -> None:
    def broken() -> object:
        raise LookupError

    budget = make_budget(acme)
    given = GivenAttribution({"organization": Lazy(lambda: "acme"), "thread_id": Lazy(broken)}, {})
    with AttributionScope(given), meter("chat", provider="openai", model="test-model", **WORST):
        assert spent_and_held(budget)[1] == Decimal("0.018")


class OutOfReach(DatabaseError):
    """The database does not answer."""


@pytest.mark.parametrize("on_unavailable", ["deny", "allow"])
def test_when_nobody_can_say_whether_there_is_room_the_budget_decides(
    on_unavailable: str, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_budget(acme, on_unavailable=on_unavailable, name="all")

    def unanswered(*args: object, **kwargs: object) -> None:
        raise OutOfReach("no route")

    monkeypatch.setattr(holding, "reserve", unanswered)
    if on_unavailable == "deny":
        with pytest.raises(BudgetUnavailable) as refused, meter("chat", **CALL, **WORST):
            pass
        assert (refused.value.budget, refused.value.reason) == ("all", "OutOfReach: no route")
        assert ResourceUsage.objects.count() == 0
    else:
        with meter("chat", **CALL, **WORST) as call:
            call.observe(chat_completion())
        assert call.hold_id is None
        assert ResourceUsage.objects.count() == 1


@pytest.mark.parametrize("name", ["input_tokens", "max_output_tokens"])
def test_a_worst_case_that_is_no_number_of_tokens_is_refused_where_it_is_given(name: str) -> None:
    with pytest.raises(InvalidUsage, match=f"^{name}"):
        meter("chat", **{name: -1})
    with pytest.raises(InvalidUsage, match=f"^{name}"):
        track_api_call("chat", **{name: "many"})


def test_an_event_that_can_not_be_built_leaves_nothing_held(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise MemoryError

    budget = make_budget(acme)
    with meter("chat", **CALL, **WORST):
        monkeypatch.setattr(finish, "event_after_call", broken)
    assert (spent_and_held(budget), states()) == ((0, 0), ["released"])


def test_an_event_that_the_ledger_refuses_leaves_nothing_held(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise DatabaseError("disk full")

    budget = make_budget(acme)
    with meter("chat", **CALL, **WORST):
        monkeypatch.setattr(finish, "submit_all", broken)
    assert (spent_and_held(budget), states()) == ((0, 0), ["released"])
