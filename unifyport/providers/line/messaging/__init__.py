"""LINE Official Accounts, over the Messaging API (https://developers.line.biz/en/docs/messaging-api/)."""
