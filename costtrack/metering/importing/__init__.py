"""Usage from files: rows become events, each charged once however often the file comes.

`source` opens a file, `csv_records` and `json_records` cut it into records, a translator (`columns`, or one of the
presets `litellm` and `claude_code`) turns records into the fields of an event, and `run` writes them in batches.
Everything streams: no step holds more than one batch.
"""
