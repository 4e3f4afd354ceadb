"""TikTok business accounts, over the Business Messaging API (https://business-api.tiktok.com/portal/docs)."""
