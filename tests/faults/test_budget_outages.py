"""The database away, ended, locked, or with another clock than the callers: limits hold, and nobody hangs or breaks."""

from __future__ import annotations

import signal
import time
from decimal import Decimal

from tests.faults.budget_proxy import ReserveProxy
from tests.faults.budget_scene import BudgetScene
from tests.faults.children import wait_until
from tests.faults.test_outage import away
from tests.faults.test_terminated import flusher_pids, terminate
from tests.servers import PostgresServer

LONGEST_MS = 5000
"""The slowest reservation, whatever happens to the database. It is mostly some milliseconds; machines may be busy."""


def test_after_an_outage_longer_than_the_holds_what_was_spooled_counts_and_the_overrun_is_seen(
    shared_postgres: PostgresServer, budgets: BudgetScene
) -> None:
    budgets.act(
        "set_up",
        projects=["web", "app"],
        budgets=[
            {"name": "strict", "project": "web", "limit": "2"},
            {"name": "lenient", "project": "app", "limit": "100", "on_unavailable": "allow"},
        ],
    )
    # Four calls hold all of the strict budget, and are being made when the database goes away.
    options = ["--threads", 4, "--calls", 1, "--costs", "0.5", "--ttl", 1.5, "--until", "calls-end", "--end", "sleep"]
    first = budgets.start_calls("first", *options, who=[{"project": "web"}])
    lenient = budgets.start_calls("lenient", "--call-ms", 20, who=[{"project": "app"}])
    options = ["--costs", "0.5", "--go", "go-strict", "--knows", "--hectic", "--end", "sleep"]
    strict = budgets.start_calls("strict", *options, who=[{"project": "web"}])
    budgets.go()
    wait_until(lambda: len(budgets.calls("first").admitted) == 4, what="the strict budget is held")
    wait_until(lambda: len(budgets.calls("lenient").admitted) > 3, what="lenient calls are made")
    with away(shared_postgres):
        (budgets.folder / "go-strict").touch()
        (budgets.folder / "calls-end").touch()
        wait_until(lambda: len(budgets.calls("first").recorded) == 4, what="the calls are spooled")
        first.pause()
        wait_until(lambda: budgets.calls("strict").unavailable, what="the strict budget could not be asked")
        wait_until(lambda: len(budgets.calls("lenient").unheld) > 3, what="lenient calls go on")
        time.sleep(1.6)  # all four holds expire
    # The strict one finds room again, for what the four have used is not known yet: 4 x 0.50 = 2.00.
    wait_until(lambda: budgets.calls("strict").refused, what="the strict budget is used up")
    assert budgets.counter("strict")[3:5] == (Decimal(2), 0)
    first.send(signal.SIGCONT)
    wait_until(lambda: budgets.counter("strict").spent == Decimal(4), what="what was spooled is counted")
    for child in (first, strict, lenient):
        assert child.process.poll() is None, child.said()
        child.kill()
    drained = budgets.drain()

    assert drained["differences"] == drained["segments_left"] == []
    calls = budgets.calls()
    assert calls.errors == []
    assert calls.recorded - budgets.database.charged().keys() == set()
    assert calls.longest_ms < LONGEST_MS
    assert [row.faults(may_pass_limit=True) for row in budgets.figures()] == [[], []]
    strict_counter = budgets.counter("strict")
    assert strict_counter.spent == 4 > strict_counter.limit == 2
    assert len(budgets.calls("strict").admitted) == 4
    late = "SELECT count(*) FROM costtrack_hold WHERE state = 'settled' AND is_overrun"
    assert budgets.value(late) == 4  # nothing was held for them any more
    lost = budgets.calls("lenient").unheld
    print(f"{len(lost)} lenient calls without a hold; unavailable: {calls.unavailable}; longest {calls.longest_ms} ms")


def test_a_reservation_whose_reply_is_lost_is_asked_for_again_and_taken_once(budgets: BudgetScene) -> None:
    budgets.act("set_up", budgets=[{"name": "each", "per": "thread", "limit": "9"}, {"name": "whole", "limit": "9"}])
    with ReserveProxy(budgets.database.folder) as proxy:
        url = budgets.database.url_by(proxy.folder)
        options = ["--threads", 2, "--calls", 50, "--leaves-held"]
        child = budgets.start_calls("c", *options, who=[{"thread_id": "t"}], url=url)
        budgets.go()
        budgets.wait_until_admitted(10)
        proxy.lose_commit_replies(8)
        child.result()
    calls = budgets.calls()
    assert proxy.lost_replies == 8
    assert calls.errors == []
    assert len(calls.admitted) == 100
    assert calls.unheld == set()
    assert budgets.value("SELECT count(*) FROM costtrack_hold") == 100
    assert [(row.held, row.faults()) for row in budgets.figures()] == [(1, []), (1, [])]  # 100 x 0.01


def test_a_reservation_that_is_ended_while_it_waits_for_a_lock_is_asked_for_again(budgets: BudgetScene) -> None:
    budgets.costtrack["BUDGET_LOCK_TIMEOUT_MS"] = 30_000
    budgets.act("set_up", budgets=[{"name": "whole", "limit": "9"}])
    budgets.start_calls("c", "--calls", 30, "--leaves-held", "--call-ms", 5)
    budgets.go()
    budgets.wait_until_admitted(3)
    with budgets.database.connect() as direct, budgets.database.connect() as holder:
        with holder.transaction():
            holder.execute("SELECT * FROM costtrack_budgetcounter FOR UPDATE")
            for number in range(2):
                [waiting] = wait_until(lambda: flusher_pids(direct, that_wait=True), what=f"it waits, {number}")
                terminate(direct, waiting)
                wait_until(lambda pid=waiting: pid not in flusher_pids(direct), what="the connection ended")
        budgets.children[-1].result()
    calls = budgets.calls()
    assert calls.errors == []
    assert sum(calls.unavailable.values()) == 1  # the second time in a row
    assert len(calls.admitted) == budgets.value("SELECT count(*) FROM costtrack_hold") == 30
    assert (budgets.counter("whole").held, budgets.counter("whole").faults()) == (Decimal("0.3"), [])


def test_a_reservation_that_waits_too_long_for_others_is_refused_or_admitted_as_its_budget_says(
    budgets: BudgetScene,
) -> None:
    budgets.act(
        "set_up",
        projects=["web", "app"],
        budgets=[
            {"name": "strict", "project": "web", "limit": "9"},
            {"name": "lenient", "project": "app", "limit": "9", "on_unavailable": "allow"},
        ],
    )
    for name, project in (("strict", "web"), ("lenient", "app")):
        budgets.start_calls(name, "--calls", 5, "--leaves-held", who=[{"project": project}])
    budgets.go()
    for child in budgets.children:
        child.result()
    (budgets.folder / "go").unlink()
    with budgets.database.connect() as holder, holder.transaction():
        holder.execute("SELECT * FROM costtrack_budgetcounter FOR UPDATE")
        lenient = budgets.start_calls("lenient2", "--calls", 5, "--leaves-held", who=[{"project": "app"}])
        strict = budgets.start_calls("strict2", "--calls", 5, "--leaves-held", who=[{"project": "web"}])
        budgets.go()
        lenient.result()
        wait_until(lambda: budgets.calls("strict2").unavailable, what="the strict one could not be asked")
    strict.result()
    lenient_calls, strict_calls = budgets.calls("lenient2"), budgets.calls("strict2")
    assert lenient_calls.errors == strict_calls.errors == []
    assert len(lenient_calls.unheld) == 5
    assert len(strict_calls.admitted) == 5
    assert strict_calls.unheld == set()
    assert all("lock timeout" in reason for reason in strict_calls.unavailable)
    assert 250 <= lenient_calls.longest_ms < LONGEST_MS
    assert [(row.held, row.faults()) for row in budgets.figures()] == [
        (Decimal("0.05"), []),  # lenient: 5 x 0.01 from before
        (Decimal("0.1"), []),  # strict: 10 x 0.01
    ]


def test_holds_expire_by_the_databases_clock_whatever_the_callers_clock_says(budgets: BudgetScene) -> None:
    budgets.act("set_up", budgets=[{"name": "whole", "limit": "9"}])
    played = budgets.act("hold_by_other_clocks", minutes=[10, -10])
    assert played == [{"swept": 1, "short": "expired", "long": "held", "renewed": "held"}] * 2
    hundreds_of_seconds = budgets.value(
        "SELECT string_agg(round(extract(epoch FROM expires_at - clock_timestamp()) / 100)::text, ' ' "
        "ORDER BY expires_at) FROM costtrack_hold WHERE state = 'held'"
    )
    assert hundreds_of_seconds == "6 6 12 12"  # 600 and 1200 s from when they were made, some seconds ago
    assert budgets.counter("whole").held == Decimal("0.04")


def test_a_hold_is_not_in_the_callers_transaction(budgets: BudgetScene) -> None:
    budgets.act("set_up", budgets=[{"name": "whole", "limit": "9"}])
    budgets.act("reserve_and_roll_back")
    assert budgets.value("SELECT state FROM costtrack_hold") == "held"
    assert (budgets.counter("whole").held, budgets.counter("whole").faults()) == (Decimal("0.01"), [])
