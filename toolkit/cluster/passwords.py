"""Passwords that are none: what tutorials use and scanners try first."""

from __future__ import annotations

DEFAULT_PASSWORDS = ("airflow", "admin", "password", "passwd", "postgres", "mysql", "redis", "root",
    "user", "test", "guest", "default", "secret", "changeme", "change-me", "letmein", "welcome",
    "qwerty", "1234", "12345", "123456", "12345678", "123456789", "1234567890", "admin123",
    "airflow123", "password1", "password123", "foobared")  # fmt: skip
"""What tutorials use and scanners try first, in lower case; a user's name counts as well."""
SHORT_PASSWORD = 10
"""Characters."""
