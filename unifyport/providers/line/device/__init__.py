"""LINE through a login as a secondary device."""
