"""Zalo, played on loopback: its Bot Platform and Official Accounts."""
