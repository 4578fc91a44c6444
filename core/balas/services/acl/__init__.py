"""Access control: users, what they may do, and what was refused."""
