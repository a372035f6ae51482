"""Readers of earlier versions, frozen: nothing here is edited."""
