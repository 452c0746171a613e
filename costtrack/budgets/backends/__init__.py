"""The places that can admit a call: each takes its worst case from all counters in one atomic step, or from none."""
