"""Plain Python values that every stage shares: tokens, events, money, periods. No Django in here."""
