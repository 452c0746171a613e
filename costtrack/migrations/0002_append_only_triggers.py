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


TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "reasoning_tokens",
)
TOKEN_SUMS = ", ".join(f"original.{name} + NEW.{name} + coalesce(sum({name}), 0) AS {name}" for name in TOKENS)
NET_TOKENS = ", ".join(f"net.{name}" for name in TOKENS)

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
    SELECT coalesce(bool_or(corrections.kind = 'void'), false) AS is_void,
        original.unpriced_calls + NEW.unpriced_calls + coalesce(sum(unpriced_calls), 0) AS unpriced_calls,
        original.amount + NEW.amount + coalesce(sum(amount), 0) AS amount,
        coalesce(original.cost_usd, 0) + coalesce(NEW.cost_usd, 0) + coalesce(sum(cost_usd), 0) AS cost_usd,
        TOKEN_SUMS
    INTO net FROM costtrack_resourceusage AS corrections
    WHERE organization_id = NEW.organization_id AND day = NEW.day AND corrects_id = NEW.corrects_id;
    IF net.is_void THEN
        RAISE EXCEPTION 'Usage % is void already; nothing of it is left to correct.', NEW.corrects_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'costtrack_usage_correction';
    END IF;
    IF least(net.amount, net.cost_usd, net.unpriced_calls, NET_TOKENS) < 0 THEN
        RAISE EXCEPTION 'Corrections of usage % would take back more than was recorded.', NEW.corrects_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'costtrack_usage_correction';
    END IF;
    IF net.cache_read_tokens + net.cache_write_tokens + net.cache_write_1h_tokens + net.input_audio_tokens
        > net.input_tokens OR net.reasoning_tokens + net.output_audio_tokens > net.output_tokens THEN
        RAISE EXCEPTION 'Corrections of usage % would leave parts above their whole.', NEW.corrects_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'costtrack_usage_correction';
    END IF;
    IF NEW.kind = 'void' AND greatest(net.amount, net.cost_usd, net.unpriced_calls, NET_TOKENS) > 0 THEN
        RAISE EXCEPTION 'A void has to take back all of usage %.', NEW.corrects_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'costtrack_usage_correction';
    END IF;
    RETURN NEW;
END $$
""".replace("TOKEN_SUMS", TOKEN_SUMS).replace("NET_TOKENS", NET_TOKENS),
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

SQLITE_NET_SUMS = ", ".join(
    [
        "coalesce(sum(cost_usd), 0) + coalesce(NEW.cost_usd, 0)",
        *(f"sum({name}) + NEW.{name}" for name in ("amount", "unpriced_calls", *TOKENS)),
    ]
)
# SQLite keeps decimals as floats of 15 digits: small sums are right to half a nano-dollar, large ones to 12 digits.
SQLITE_TOLERANCE = "max(5e-10, 1e-12 * (coalesce(sum(abs(cost_usd)), 0) + sum(abs(amount))))"

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
        SELECT min(NET_SUMS) < -(TOLERANCE) FROM costtrack_resourceusage
        WHERE organization_id = NEW.organization_id AND day = NEW.day
        AND (id = NEW.corrects_id OR corrects_id = NEW.corrects_id));
    SELECT RAISE(ABORT, 'Corrections of this usage would leave parts above their whole.')
    WHERE (
        SELECT sum(cache_read_tokens + cache_write_tokens + cache_write_1h_tokens + input_audio_tokens - input_tokens)
            + NEW.cache_read_tokens + NEW.cache_write_tokens + NEW.cache_write_1h_tokens + NEW.input_audio_tokens
            > NEW.input_tokens
            OR sum(reasoning_tokens + output_audio_tokens - output_tokens)
            + NEW.reasoning_tokens + NEW.output_audio_tokens > NEW.output_tokens
        FROM costtrack_resourceusage WHERE organization_id = NEW.organization_id AND day = NEW.day
        AND (id = NEW.corrects_id OR corrects_id = NEW.corrects_id));
    SELECT RAISE(ABORT, 'A void has to take back all of its usage.')
    WHERE NEW.kind = 'void' AND (
        SELECT max(NET_SUMS) > TOLERANCE FROM costtrack_resourceusage
        WHERE organization_id = NEW.organization_id AND day = NEW.day
        AND (id = NEW.corrects_id OR corrects_id = NEW.corrects_id));
END
""".replace("NET_SUMS", SQLITE_NET_SUMS).replace("TOLERANCE", SQLITE_TOLERANCE),
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
