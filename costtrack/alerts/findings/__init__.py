"""What people have to be told besides budgets: each module finds one kind of it, from what the tables say."""
