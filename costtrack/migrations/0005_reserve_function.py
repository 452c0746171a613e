"""The function that takes a reservation from all counters of a call, or from none, in one round trip (PostgreSQL)."""

from django.db import migrations, router

CREATE = """
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


def run(sql):
    def change(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql" and router.allow_migrate(
            schema_editor.connection.alias, "costtrack", model_name="hold"
        ):
            schema_editor.execute(sql, None)

    return change


class Migration(migrations.Migration):
    dependencies = [("costtrack", "0004_budgets")]

    operations = [migrations.RunPython(run(CREATE), run(DROP), elidable=False)]
