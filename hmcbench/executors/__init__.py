"""Where cells run. ``local`` runs them on this machine; others may follow as a plugin kind."""
