"""Loading rates: from genai-prices' data with our supplement, or from a YAML, CSV or LiteLLM file.

Sources are turned into plain drafts first; `follow` then writes what is new, so that history stands.
"""

from costtrack.pricing.loading.files import FORMATS, load_rate_file
from costtrack.pricing.loading.follow import LoadReport
from costtrack.pricing.loading.maintained import load_maintained_rates

__all__ = ["FORMATS", "LoadReport", "load_maintained_rates", "load_rate_file"]
