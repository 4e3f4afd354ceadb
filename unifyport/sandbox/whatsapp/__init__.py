"""WhatsApp's platforms on loopback."""
