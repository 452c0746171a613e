"""The reserving function in less time: it takes first and looks afterwards, and answers with one JSON value (PostgreSQL).

A counter's three checks become one: each statement that writes a row reads every check of its table anew.
"""

from django.db import migrations, models, router
from django.db.models import Q

CREATE = """
CREATE FUNCTION costtrack_reserve(asked jsonb) RETURNS jsonb LANGUAGE plpgsql
SET enable_seqscan = off -- plans live as long as their connection, also those made while these tables were small
AS $$
DECLARE
    -- One argument and one answer: a driver that binds on its own side, and reads column by column, takes as long over
    -- more of them as all that is done here.
    p_hold uuid := asked ->> 'hold';
    p_organization bigint := asked ->> 'organization';
    p_takings jsonb := asked -> 'takings';
    p_timeout text := asked ->> 'lock_timeout';
    p_budget bigint;
    p_subject text;
    p_start timestamptz;
    p_amount numeric;
    counter_id bigint;
    counter record;
    taken text := '';
    shadow integer[];
    hold_state text;
    hold_until timestamptz;
    hold_admitted_at timestamptz;
    answer jsonb;
BEGIN
    IF p_timeout IS NOT NULL THEN
        p_timeout := set_config('lock_timeout', p_timeout, true);
    END IF;
    IF (asked ->> 'may_be_known')::boolean THEN
        SELECT h.state, h.expires_at, h.admitted_at INTO hold_state, hold_until, hold_admitted_at
        FROM costtrack_hold h WHERE h.id = p_hold;
        IF FOUND THEN
            IF hold_state = 'held' AND hold_until < clock_timestamp() THEN -- nobody has swept it yet: it holds again
                UPDATE costtrack_hold h
                SET expires_at = clock_timestamp() + (asked ->> 'ttl_seconds')::double precision * interval '1 second'
                WHERE h.id = p_hold AND h.state = 'held' RETURNING h.expires_at INTO hold_until;
                IF NOT FOUND THEN
                    SELECT h.state, h.expires_at INTO hold_state, hold_until FROM costtrack_hold h WHERE h.id = p_hold;
                END IF;
            END IF;
            RETURN jsonb_build_object('kind', hold_state, 'expires_at', hold_until, 'admitted_at', hold_admitted_at);
        END IF;
    END IF;
    PERFORM FROM costtrack_organization o
    WHERE o.id = p_organization AND o.budget_epoch = (asked ->> 'epoch')::bigint
    FOR KEY SHARE; -- as the hold's foreign key does, but before any counter: who deletes a budget locks in that order
    IF NOT FOUND THEN
        answer := '{"kind": "stale"}';
    ELSE
        FOR i IN 0 .. jsonb_array_length(p_takings) - 1 LOOP -- row by row: that is the order of the locks
            p_budget := p_takings -> i ->> 0;
            p_subject := p_takings -> i ->> 1;
            p_start := p_takings -> i ->> 2;
            p_amount := p_takings -> i ->> 3;
            UPDATE costtrack_budgetcounter c
            SET held = c.held + p_amount, updated_at = clock_timestamp()
            FROM costtrack_budget b
            WHERE c.budget_id = p_budget AND c.subject = p_subject AND c.period_start = p_start AND b.id = p_budget
                AND (b."limit" IS NULL OR b.enforcement = 'soft'
                    OR (b."limit" > 0 AND c.spent + c.held + c.leased + p_amount <= b."limit"))
            RETURNING c.id INTO counter_id;
            IF NOT FOUND THEN
                SELECT c.id, b.enforcement, b."limit", c.spent, c.held, c.leased INTO counter
                FROM costtrack_budgetcounter c JOIN costtrack_budget b ON b.id = c.budget_id
                WHERE c.budget_id = p_budget AND c.subject = p_subject AND c.period_start = p_start
                FOR NO KEY UPDATE OF c;
                IF NOT FOUND THEN
                    answer := jsonb_build_object('kind', 'missing', 'place', i);
                    EXIT;
                ELSIF counter.enforcement <> 'shadow' THEN
                    answer := jsonb_build_object(
                        'kind', 'refused', 'place', i, 'limit', counter."limit"::text, 'spent', counter.spent::text,
                        'held', counter.held::text, 'leased', counter.leased::text);
                    EXIT;
                END IF;
                counter_id := counter.id;
                UPDATE costtrack_budgetcounter c
                SET held = c.held + p_amount, shadow_refusals = c.shadow_refusals + 1, updated_at = clock_timestamp()
                WHERE c.id = counter_id;
                shadow := shadow || i;
            END IF;
            taken := taken || ',[' || counter_id || ',"' || p_amount || '"]';
        END LOOP;
    END IF;
    taken := '[' || substr(taken, 2) || ']';
    IF answer IS NULL THEN
        hold_until := clock_timestamp() + (asked ->> 'ttl_seconds')::double precision * interval '1 second';
        INSERT INTO costtrack_hold
            (id, organization_id, state, parts, about, admitted_at, expires_at, is_unpriced, is_overrun)
        VALUES (
            p_hold, p_organization, 'held', taken::jsonb, asked -> 'about', (asked ->> 'admitted_at')::timestamptz,
            hold_until, (asked ->> 'is_unpriced')::boolean, false)
        ON CONFLICT (id) DO NOTHING;
        IF FOUND THEN
            RETURN jsonb_build_object('kind', 'granted', 'expires_at', hold_until, 'shadow', shadow);
        END IF;
        answer := '{"kind": "known"}';
    END IF;
    UPDATE costtrack_budgetcounter c
    SET held = c.held - (part ->> 1)::numeric,
        shadow_refusals = c.shadow_refusals - coalesce(place - 1 = ANY (shadow), false)::integer
    FROM jsonb_array_elements(taken::jsonb) WITH ORDINALITY AS given (part, place)
    WHERE c.id = (part ->> 0)::bigint;
    IF EXISTS (SELECT FROM costtrack_hold h WHERE h.id = p_hold) THEN
        answer := '{"kind": "known"}'; -- a hold's row is locked before any counter: so it is looked for anew
    END IF;
    RETURN answer;
END $$
"""
CREATE_FORMER = """
CREATE FUNCTION costtrack_reserve(
    asked jsonb,
    OUT answer text, OUT place integer, OUT o_limit numeric, OUT o_spent numeric, OUT o_held numeric,
    OUT o_leased numeric, OUT o_shadow integer[], OUT o_expires_at timestamptz, OUT o_admitted_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    -- One argument and no arrays: a driver that binds on its own side takes longer over those than this does.
    p_hold uuid := asked ->> 'hold';
    p_organization bigint := asked ->> 'organization';
    p_takings jsonb := asked -> 'takings';
    p_budget bigint;
    p_subject text;
    p_start timestamptz;
    p_amount numeric;
    counter record;
    parts jsonb := '[]';
    ids bigint[] := '{}';
    amounts numeric[] := '{}';
    i integer;
BEGIN
    IF asked ->> 'lock_timeout' IS NOT NULL THEN
        PERFORM set_config('lock_timeout', asked ->> 'lock_timeout', true);
    END IF;
    SELECT h.state, h.expires_at, h.admitted_at INTO answer, o_expires_at, o_admitted_at
    FROM costtrack_hold h WHERE h.id = p_hold;
    IF FOUND THEN
        IF answer = 'held' AND o_expires_at < clock_timestamp() THEN -- nobody has swept it yet: it holds again
            UPDATE costtrack_hold h
            SET expires_at = clock_timestamp() + (asked ->> 'ttl_seconds')::double precision * interval '1 second'
            WHERE h.id = p_hold AND h.state = 'held' RETURNING h.expires_at INTO o_expires_at;
            IF NOT FOUND THEN
                SELECT h.state INTO answer FROM costtrack_hold h WHERE h.id = p_hold;
            END IF;
        END IF;
        RETURN;
    END IF;
    PERFORM 1 FROM costtrack_organization o
    WHERE o.id = p_organization AND o.budget_epoch = (asked ->> 'epoch')::bigint
    FOR KEY SHARE; -- as the hold's foreign key does, but before any counter: who deletes a budget locks in that order
    IF NOT FOUND THEN
        answer := 'stale';
        RETURN;
    END IF;
    o_shadow := '{}';
    FOR i IN 0 .. jsonb_array_length(p_takings) - 1 LOOP
        p_budget := p_takings -> i ->> 0;
        p_subject := p_takings -> i ->> 1;
        p_start := p_takings -> i ->> 2;
        p_amount := p_takings -> i ->> 3;
        UPDATE costtrack_budgetcounter c
        SET held = c.held + p_amount,
            updated_at = clock_timestamp(),
            shadow_refusals = c.shadow_refusals + CASE
                WHEN b.enforcement = 'shadow' AND b."limit" IS NOT NULL
                    AND (b."limit" = 0 OR c.spent + c.held + c.leased + p_amount > b."limit") THEN 1 ELSE 0 END
        FROM costtrack_budget b
        WHERE c.budget_id = p_budget AND c.subject = p_subject AND c.period_start = p_start
            AND b.id = c.budget_id
            AND (b.enforcement <> 'hard' OR b."limit" IS NULL
                OR (b."limit" > 0 AND c.spent + c.held + c.leased + p_amount <= b."limit"))
        RETURNING c.id, b.enforcement, b."limit" AS most, c.spent + c.held + c.leased AS taken INTO counter;
        IF NOT FOUND THEN
            SELECT b."limit", c.spent, c.held, c.leased INTO o_limit, o_spent, o_held, o_leased
            FROM costtrack_budgetcounter c JOIN costtrack_budget b ON b.id = c.budget_id
            WHERE c.budget_id = p_budget AND c.subject = p_subject AND c.period_start = p_start;
            answer := CASE WHEN FOUND THEN 'refused' ELSE 'missing' END;
            place := i;
            EXIT;
        END IF;
        ids := ids || counter.id;
        amounts := amounts || p_amount;
        parts := parts || jsonb_build_array(jsonb_build_array(counter.id, p_amount::text));
        IF counter.enforcement = 'shadow' AND (counter.most = 0 OR counter.taken > counter.most) THEN
            o_shadow := o_shadow || i;
        END IF;
    END LOOP;
    IF answer IS NULL THEN
        o_expires_at := clock_timestamp() + (asked ->> 'ttl_seconds')::double precision * interval '1 second';
        INSERT INTO costtrack_hold
            (id, organization_id, state, parts, about, admitted_at, expires_at, is_unpriced, is_overrun)
        VALUES (
            p_hold, p_organization, 'held', parts, asked -> 'about', (asked ->> 'admitted_at')::timestamptz,
            o_expires_at, (asked ->> 'is_unpriced')::boolean, false)
        ON CONFLICT (id) DO NOTHING;
        IF FOUND THEN
            answer := 'granted';
            RETURN;
        END IF;
        SELECT h.state, h.expires_at, h.admitted_at INTO answer, o_expires_at, o_admitted_at
        FROM costtrack_hold h WHERE h.id = p_hold;
    END IF;
    FOR i IN 1 .. cardinality(ids) LOOP
        UPDATE costtrack_budgetcounter c
        SET held = c.held - amounts[i], shadow_refusals = c.shadow_refusals - (i - 1 = ANY (o_shadow))::integer
        WHERE c.id = ids[i];
    END LOOP;
END $$
"""
DROP = "DROP FUNCTION costtrack_reserve"


def run(*statements):
    def change(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql" and router.allow_migrate(
            schema_editor.connection.alias, "costtrack", model_name="hold"
        ):
            for sql in statements:
                schema_editor.execute(sql, None)

    return change


class Migration(migrations.Migration):
    dependencies = [("costtrack", "0008_alerts")]

    operations = [
        migrations.RemoveConstraint(model_name="budgetcounter", name="costtrack_counter_held_gte_0"),
        migrations.RemoveConstraint(model_name="budgetcounter", name="costtrack_counter_leased_gte_0"),
        migrations.AlterField(
            model_name="budgetcounter",
            name="shadow_refusals",
            field=models.IntegerField(default=0, help_text="What hard would have refused."),
        ),
        migrations.AddConstraint(
            model_name="budgetcounter",
            constraint=models.CheckConstraint(
                condition=Q(held__gte=0, leased__gte=0, shadow_refusals__gte=0), name="costtrack_counter_figures_gte_0"
            ),
        ),
        migrations.RunPython(run(DROP, CREATE), run(DROP, CREATE_FORMER), elidable=False),
    ]
