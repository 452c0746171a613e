"""What a call costs: matching model ids to dated rates, exact arithmetic, and loading of rates."""
