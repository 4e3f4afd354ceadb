"""A linked device: the multi-device protocol of WhatsApp Web, with end-to-end encryption in this process."""
