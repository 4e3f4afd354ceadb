"""A personal account, as Zalo's web client is connected to it: login by QR code, or with its cookies."""
