"""Record one call, and read back what it cost: run by `manage.py shell` in the smallest site."""

from decimal import Decimal

from costtrack import flush, record_usage
from costtrack.models import DailyCostSummary

record_usage(provider="anthropic", model="claude-3-5-sonnet-20241022", input_tokens=1000, output_tokens=500)
if not flush():
    raise SystemExit("the call could not be booked within 10 seconds")
(day,) = DailyCostSummary.objects.all()
# 1,000 at 3 USD and 500 at 15 USD per million: 0.003 + 0.0075
if day.cost_usd != Decimal("0.0105"):
    raise SystemExit(f"expected a cost of 0.0105 USD, got {day.cost_usd}")
print("recorded one call of 0.0105 USD")
