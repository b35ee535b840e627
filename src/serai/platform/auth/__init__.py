"""Who knocks: accounts, sessions, machine tokens and what a role may do."""
