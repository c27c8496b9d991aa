"""A run: locks, record, progress, playbooks, interrupts, how it ended."""
