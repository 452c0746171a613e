"""A local server that answers as providers do on the wire: JSON, errors, server-sent events, AWS event streams."""
