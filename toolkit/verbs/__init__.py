"""What a verb does: its stages, in order; one file a verb."""
