"""The reserving function reads no budgets: their limits come with the question, and the epoch vouches for them.

A hold's organization is locked and looked at by that function (PostgreSQL): the foreign key did so once more.
"""

import importlib

from django.db import migrations, models

former = importlib.import_module("costtrack.migrations.0009_faster_reserve_function")

CREATE = """
CREATE FUNCTION costtrack_reserve(asked jsonb) RETURNS text LANGUAGE plpgsql AS $$
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
    p_limit numeric;
    p_is_shadow boolean;
    taking jsonb;
    counter_id bigint;
    counter record;
    taken text := '';
    shadow integer[];
    hold_state text;
    hold_until timestamptz;
    hold_admitted_at timestamptz;
    answer jsonb;
BEGIN
    IF p_timeout IS NOT NULL THEN -- a transaction of its own: both end with it
        -- Plans live as long as their connection, also those made while these tables were small. (As a setting of the
        -- function it would take twice as long.)
        p_timeout := set_config('lock_timeout', p_timeout, true) || set_config('enable_seqscan', 'off', true);
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
            -- Limit and enforcement are the caller's: at this epoch, which is locked, nobody has changed them since.
            -- A process of before this migration names none.
            taking := p_takings -> i;
            p_budget := taking -> 0;
            p_subject := taking ->> 1;
            p_start := taking ->> 2;
            p_amount := taking ->> 3;
            p_limit := taking ->> 4;
            p_is_shadow := taking -> 5;
            IF p_is_shadow IS NULL THEN
                SELECT b."limit", b.enforcement = 'shadow' INTO p_limit, p_is_shadow
                FROM costtrack_budget b WHERE b.id = p_budget;
            END IF;
            UPDATE costtrack_budgetcounter c
            SET held = c.held + p_amount, updated_at = clock_timestamp()
            WHERE c.budget_id = p_budget AND c.subject = p_subject AND c.period_start = p_start
                AND (p_limit IS NULL OR (p_limit > 0 AND c.spent + c.held + c.leased + p_amount <= p_limit))
            RETURNING c.id INTO counter_id;
            IF NOT FOUND THEN
                SELECT c.id, c.spent, c.held, c.leased INTO counter FROM costtrack_budgetcounter c
                WHERE c.budget_id = p_budget AND c.subject = p_subject AND c.period_start = p_start
                FOR NO KEY UPDATE;
                IF NOT FOUND THEN
                    answer := jsonb_build_object('kind', 'missing', 'place', i);
                    EXIT;
                ELSIF NOT p_is_shadow THEN
                    answer := jsonb_build_object(
                        'kind', 'refused', 'place', i, 'limit', p_limit::text, 'spent', counter.spent::text,
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
            RETURN '{"kind":"granted","expires_at":"' || hold_until || '","shadow":' || coalesce(to_json(shadow), '[]') || '}';
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

TRIGGERS = """
-- Whoever changes budgets, by SQL alone too, waits for the reservations under way, and the next ones read them anew.
CREATE FUNCTION costtrack_budget_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owners bigint[];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        owners := ARRAY(SELECT organization_id FROM changed UNION SELECT organization_id FROM was);
    ELSE
        owners := ARRAY(SELECT DISTINCT organization_id FROM changed);
    END IF;
    PERFORM FROM costtrack_organization o WHERE o.id = ANY (owners) ORDER BY o.id FOR UPDATE;
    UPDATE costtrack_organization o SET budget_epoch = o.budget_epoch + 1 WHERE o.id = ANY (owners);
    RETURN NULL;
END $$;
CREATE TRIGGER costtrack_budget_added AFTER INSERT ON costtrack_budget
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION costtrack_budget_changed();
CREATE TRIGGER costtrack_budget_changed AFTER UPDATE ON costtrack_budget
REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION costtrack_budget_changed();
CREATE TRIGGER costtrack_budget_removed AFTER DELETE ON costtrack_budget
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION costtrack_budget_changed();
-- Who saves an organization that he has read a while ago does not put its epoch back.
CREATE FUNCTION costtrack_epoch_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.budget_epoch := OLD.budget_epoch;
    RETURN NEW;
END $$;
CREATE TRIGGER costtrack_epoch_kept BEFORE UPDATE ON costtrack_organization
FOR EACH ROW WHEN (NEW.budget_epoch < OLD.budget_epoch) EXECUTE FUNCTION costtrack_epoch_kept();
-- In place of the foreign key: a reservation that the deletion has waited for is gone with it.
CREATE FUNCTION costtrack_organization_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM costtrack_hold h WHERE h.organization_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER costtrack_organization_deleted AFTER DELETE ON costtrack_organization
FOR EACH ROW EXECUTE FUNCTION costtrack_organization_deleted();
-- What was changed by SQL alone before, or while new processes ran already, is read anew by all.
UPDATE costtrack_organization SET budget_epoch = budget_epoch + 1
WHERE id IN (SELECT organization_id FROM costtrack_budget)
"""
DROP_TRIGGERS = """
DROP TRIGGER costtrack_organization_deleted ON costtrack_organization;
DROP FUNCTION costtrack_organization_deleted();
DELETE FROM costtrack_hold h WHERE NOT EXISTS (SELECT FROM costtrack_organization o WHERE o.id = h.organization_id);
DROP TRIGGER costtrack_budget_added ON costtrack_budget;
DROP TRIGGER costtrack_budget_changed ON costtrack_budget;
DROP TRIGGER costtrack_budget_removed ON costtrack_budget;
DROP FUNCTION costtrack_budget_changed();
DROP TRIGGER costtrack_epoch_kept ON costtrack_organization;
DROP FUNCTION costtrack_epoch_kept()
"""


class Migration(migrations.Migration):
    dependencies = [("costtrack", "0015_fill_coarser_grains")]

    operations = [
        migrations.AlterField(
            model_name="hold",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=models.deletion.CASCADE,
                related_name="holds",
                to="costtrack.organization",
            ),
        ),
        migrations.RunPython(
            former.run(former.DROP, CREATE, TRIGGERS),
            former.run(DROP_TRIGGERS, former.DROP, former.CREATE),
            elidable=False,
        ),
    ]
