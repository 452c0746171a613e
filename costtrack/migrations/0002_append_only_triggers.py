"""Triggers that keep the ledger and the rates that priced it from being changed.

On SQLite a later migration that rebuilds one of these tables drops its triggers and has to make them again.
"""

from django.db import migrations, router
from django.db.migrations.operations.base import Operation


class VendorSQL(Operation):
    """Run SQL that differs between databases: {vendor: (forward statements, backward statements)}."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, statements):
        self.statements = statements

    def state_forwards(self, app_label, state):
        """Models stay as they are."""

    def _run(self, schema_editor, app_label, direction):
        if schema_editor.connection.vendor not in self.statements:
            return
        if not self.allow(schema_editor, app_label):
            return
        for statement in self.statements[schema_editor.connection.vendor][direction]:
            schema_editor.execute(statement, None)

    @staticmethod
    def allow(schema_editor, app_label):
        return router.allow_migrate(schema_editor.connection.alias, app_label, model_name="resourceusage")

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        self._run(schema_editor, app_label, 0)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        self._run(schema_editor, app_label, 1)

    def describe(self):
        return "Triggers against changed history"


POSTGRESQL_LEDGER = [
    """
CREATE FUNCTION costtrack_refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('costtrack.maintenance', true), '') = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION 'The usage ledger is append-only: % of row % refused. Correct it with a void or an adjustment.',
        TG_OP, OLD.id USING ERRCODE = 'restrict_violation';
END $$
""",
    """
CREATE TRIGGER costtrack_usage_append_only BEFORE UPDATE OR DELETE ON costtrack_resourceusage
FOR EACH ROW EXECUTE FUNCTION costtrack_refuse_ledger_change()
""",
    """
CREATE FUNCTION costtrack_check_correction() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    original costtrack_resourceusage%ROWTYPE;
    net record;
BEGIN
    SELECT * INTO original FROM costtrack_resourceusage
    WHERE organization_id = NEW.organization_id AND day = NEW.day AND id = NEW.corrects_id FOR UPDATE;
    IF NOT FOUND OR original.kind <> 'usage' THEN
        RAISE EXCEPTION 'A correction needs a usage row of the same organization and day; % is none.', NEW.corrects_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'costtrack_usage_correction';
    END IF;
    SELECT coalesce(bool_or(kind = 'void'), false) AS is_void, coalesce(sum(calls), 0) AS calls,
        coalesce(sum(unpriced_calls), 0) AS unpriced_calls,
        coalesce(sum(amount), 0) AS amount, coalesce(sum(cost_usd), 0) AS cost_usd,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS output_tokens
    INTO net FROM costtrack_resourceusage
    WHERE organization_id = NEW.organization_id AND day = NEW.day AND corrects_id = NEW.corrects_id;
    IF net.is_void THEN
        RAISE EXCEPTION 'Usage % is void already; nothing of it is left to correct.', NEW.corrects_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'costtrack_usage_correction';
    END IF;
    net.amount := original.amount + net.amount + NEW.amount;
    net.cost_usd := coalesce(original.cost_usd, 0) + net.cost_usd + coalesce(NEW.cost_usd, 0);
    net.input_tokens := original.input_tokens + net.input_tokens + NEW.input_tokens;
    net.output_tokens := original.output_tokens + net.output_tokens + NEW.output_tokens;
    net.unpriced_calls := original.unpriced_calls + net.unpriced_calls + NEW.unpriced_calls;
    IF least(net.amount, net.cost_usd, net.input_tokens, net.output_tokens, net.unpriced_calls) < 0 THEN
        RAISE EXCEPTION 'Corrections of usage % would take back more than was recorded.', NEW.corrects_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'costtrack_usage_correction';
    END IF;
    IF NEW.kind = 'void' AND greatest(
        net.amount, net.cost_usd, net.input_tokens, net.output_tokens, net.unpriced_calls) > 0 THEN
        RAISE EXCEPTION 'A void has to take back all of usage %.', NEW.corrects_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'costtrack_usage_correction';
    END IF;
    RETURN NEW;
END $$
""",
    """
CREATE TRIGGER costtrack_usage_check_correction BEFORE INSERT ON costtrack_resourceusage
FOR EACH ROW WHEN (NEW.kind <> 'usage') EXECUTE FUNCTION costtrack_check_correction()
""",
]

RATE_COLUMNS = (
    "provider, model, organization_id, resource_type, service_tier, effective_from, window_start, window_end, "
    "input_usd_per_million, output_usd_per_million, cache_read_usd_per_million, cache_write_usd_per_million, "
    "cache_write_1h_usd_per_million, input_audio_usd_per_million, output_audio_usd_per_million, "
    "reasoning_usd_per_million, request_usd, unit_price_usd"
)
USED_RATE = "A rate that has priced usage is never edited; let another rate follow it."

POSTGRESQL_RATES = [
    f"""
CREATE FUNCTION costtrack_refuse_rate_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('costtrack.maintenance', true), '') = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '{USED_RATE}' USING ERRCODE = 'restrict_violation';
END $$
""",
    f"""
CREATE TRIGGER costtrack_rate_used_stands BEFORE UPDATE OF {RATE_COLUMNS} ON costtrack_rate
FOR EACH ROW WHEN (OLD.is_used AND ROW({", ".join("OLD." + name for name in RATE_COLUMNS.split(", "))})
    IS DISTINCT FROM ROW({", ".join("NEW." + name for name in RATE_COLUMNS.split(", "))}))
EXECUTE FUNCTION costtrack_refuse_rate_change()
""",
    """
CREATE TRIGGER costtrack_rate_used_stays BEFORE DELETE ON costtrack_rate
FOR EACH ROW WHEN (OLD.is_used) EXECUTE FUNCTION costtrack_refuse_rate_change()
""",
    f"""
CREATE FUNCTION costtrack_refuse_tier_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('costtrack.maintenance', true), '') <> 'on' AND EXISTS (
        SELECT 1 FROM costtrack_rate WHERE is_used AND id IN (
            CASE WHEN TG_OP <> 'INSERT' THEN OLD.rate_id END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.rate_id END)
    ) THEN
        RAISE EXCEPTION '{USED_RATE}' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$
""",
    """
CREATE TRIGGER costtrack_ratetier_used_stands BEFORE INSERT OR UPDATE OR DELETE ON costtrack_ratetier
FOR EACH ROW EXECUTE FUNCTION costtrack_refuse_tier_change()
""",
]

POSTGRESQL_BACKWARD = [
    "DROP TRIGGER costtrack_ratetier_used_stands ON costtrack_ratetier",
    "DROP TRIGGER costtrack_rate_used_stays ON costtrack_rate",
    "DROP TRIGGER costtrack_rate_used_stands ON costtrack_rate",
    "DROP TRIGGER costtrack_usage_check_correction ON costtrack_resourceusage",
    "DROP TRIGGER costtrack_usage_append_only ON costtrack_resourceusage",
    "DROP FUNCTION costtrack_refuse_tier_change()",
    "DROP FUNCTION costtrack_refuse_rate_change()",
    "DROP FUNCTION costtrack_check_correction()",
    "DROP FUNCTION costtrack_refuse_ledger_change()",
]

# SQLite keeps sums of decimals to 15 digits: half a nano-dollar is the tolerance there.
SQLITE = [
    """
CREATE TRIGGER costtrack_usage_append_only BEFORE UPDATE ON costtrack_resourceusage
BEGIN
    SELECT RAISE(ABORT, 'The usage ledger is append-only. Correct a row with a void or an adjustment.');
END
""",
    """
CREATE TRIGGER costtrack_usage_check_correction BEFORE INSERT ON costtrack_resourceusage WHEN NEW.kind <> 'usage'
BEGIN
    SELECT RAISE(ABORT, 'A correction needs a usage row of the same organization and day.')
    WHERE NOT EXISTS (
        SELECT 1 FROM costtrack_resourceusage WHERE organization_id = NEW.organization_id AND day = NEW.day
        AND id = NEW.corrects_id AND kind = 'usage');
    SELECT RAISE(ABORT, 'This usage is void already; nothing of it is left to correct.')
    WHERE EXISTS (
        SELECT 1 FROM costtrack_resourceusage WHERE organization_id = NEW.organization_id AND day = NEW.day
        AND corrects_id = NEW.corrects_id AND kind = 'void');
    SELECT RAISE(ABORT, 'Corrections of this usage would take back more than was recorded.')
    WHERE (
        SELECT min(sum(amount) + NEW.amount, coalesce(sum(cost_usd), 0) + coalesce(NEW.cost_usd, 0),
            sum(input_tokens) + NEW.input_tokens, sum(output_tokens) + NEW.output_tokens,
            sum(unpriced_calls) + NEW.unpriced_calls)
        FROM costtrack_resourceusage WHERE organization_id = NEW.organization_id AND day = NEW.day
        AND (id = NEW.corrects_id OR corrects_id = NEW.corrects_id)) < -5e-10;
    SELECT RAISE(ABORT, 'A void has to take back all of its usage.')
    WHERE NEW.kind = 'void' AND (
        SELECT max(sum(amount) + NEW.amount, coalesce(sum(cost_usd), 0) + coalesce(NEW.cost_usd, 0),
            sum(input_tokens) + NEW.input_tokens, sum(output_tokens) + NEW.output_tokens,
            sum(unpriced_calls) + NEW.unpriced_calls)
        FROM costtrack_resourceusage WHERE organization_id = NEW.organization_id AND day = NEW.day
        AND (id = NEW.corrects_id OR corrects_id = NEW.corrects_id)) > 5e-10;
END
""",
    f"""
CREATE TRIGGER costtrack_rate_used_stands BEFORE UPDATE OF {RATE_COLUMNS} ON costtrack_rate
WHEN OLD.is_used AND NOT ({" AND ".join(f"OLD.{name} IS NEW.{name}" for name in RATE_COLUMNS.split(", "))})
BEGIN
    SELECT RAISE(ABORT, '{USED_RATE}');
END
""",
    *(
        f"""
CREATE TRIGGER costtrack_ratetier_used_{event.lower()} BEFORE {event} ON costtrack_ratetier
WHEN EXISTS (SELECT 1 FROM costtrack_rate WHERE is_used AND id IN ({ids}))
BEGIN
    SELECT RAISE(ABORT, '{USED_RATE}');
END
"""
        for event, ids in (("INSERT", "NEW.rate_id"), ("UPDATE", "OLD.rate_id, NEW.rate_id"))
    ),
]

SQLITE_BACKWARD = [
    "DROP TRIGGER costtrack_ratetier_used_update",
    "DROP TRIGGER costtrack_ratetier_used_insert",
    "DROP TRIGGER costtrack_rate_used_stands",
    "DROP TRIGGER costtrack_usage_check_correction",
    "DROP TRIGGER costtrack_usage_append_only",
]


class Migration(migrations.Migration):
    dependencies = [("costtrack", "0001_tables")]

    operations = [
        VendorSQL(
            {
                "postgresql": (POSTGRESQL_LEDGER + POSTGRESQL_RATES, POSTGRESQL_BACKWARD),
                "sqlite": (SQLITE, SQLITE_BACKWARD),
            }
        )
    ]
