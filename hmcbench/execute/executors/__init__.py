"""Executors: ``local`` runs cells on this machine, ``ray`` on a cluster."""
