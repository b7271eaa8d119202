"""How fast the homework is beside what a user would write or pick instead."""
