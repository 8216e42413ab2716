"""Where cells run. ``local`` runs them on this machine, ``ray`` on a cluster."""
