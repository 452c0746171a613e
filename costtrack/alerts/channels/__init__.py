"""Channels: e-mail, signed webhooks, apprise, the host's own functions. Each sends one `Outgoing`, or says why not."""
