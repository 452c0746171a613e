"""What usage would have cost on another model, or by another rate card."""
