"""Kinds of updates that say nothing to a caller."""

from telethon.tl import types

# Presence is not reported; what an app shows or keeps for itself is nothing that a customer did; secret chats
# are not supported; the last group is for bots, which have the other connection, or is part of other updates.
QUIET = frozenset(
    getattr(types, f"Update{name}")
    for name in (
        "UserTyping ChatUserTyping ChannelUserTyping EncryptedChatTyping UserStatus UserEmojiStatus"
        " ChannelMessageViews ChannelMessageForwards ReadMessagesContents ChannelReadMessagesContents"
        " ReadChannelDiscussionInbox ReadChannelDiscussionOutbox ReadMonoForumInbox ReadMonoForumOutbox"
        " AiComposeTones AttachMenuBots AutoSaveSettings BotCommands BotMenuButton ChannelAvailableMessages"
        " ChannelTooLong ChannelViewForumAsMessages ChannelWebPage Chat ChatDefaultBannedRights"
        " ChatParticipants ChatParticipantAdd ChatParticipantDelete ChatParticipantRank Config ContactsReset"
        " DcOptions DeleteGroupCallMessages DeleteQuickReply DeleteQuickReplyMessages"
        " DeleteScheduledMessages DialogFilter DialogFilterOrder DialogFilters DraftMessage EmojiGameInfo"
        " EncryptedMessagesRead Encryption FavedStickers GeoLiveViewed GroupCall GroupCallChainBlocks"
        " GroupCallConnection GroupCallEncryptedMessage GroupCallMessage GroupCallParticipants LangPack"
        " LangPackTooLong LoginToken MessageExtendedMedia MessageID MonoForumNoPaidException"
        " MoveStickerSetToTop NewEncryptedMessage NewQuickReply NewScheduledMessage NewStickerSet"
        " NewStoryReaction PaidReactionPrivacy PeerLocated PeerSettings PeerWallpaper PhoneCallSignalingData"
        " PinnedDialogs PinnedForumTopic PinnedForumTopics PinnedSavedDialogs Privacy PtsChanged QuickReplies"
        " QuickReplyMessage ReadFeaturedEmojiStickers ReadFeaturedStickers ReadStories RecentEmojiStatuses"
        " RecentReactions RecentStickers SavedDialogPinned SavedGifs SavedReactionTags SavedRingtones"
        " SentPhoneCode SentStoryReaction SmsJob StarGiftAuctionState StarGiftAuctionUserState"
        " StarGiftCraftFail StarsBalance StarsRevenueStatus StickerSets StickerSetsOrder StoriesStealthMode"
        " Story StoryID Theme TranscribedAudio User UserName UserPhone WebBrowserException"
        " WebBrowserSettings WebPage WebViewResultSent JoinChatWebViewDecision"
        # of bots
        " BotBusinessConnect BotCallbackQuery BotChatBoost BotChatInviteRequester BotDeleteBusinessMessage"
        " BotEditBusinessMessage BotGuestChatQuery BotInlineQuery BotInlineSend BotMessageReaction"
        " BotMessageReactions BotNewBusinessMessage BotPrecheckoutQuery BotPurchasedPaidMedia"
        " BotShippingQuery BotStarsSubscription BotStopped BotWebhookJSON BotWebhookJSONQuery"
        " BusinessBotCallbackQuery ChannelParticipant ChatParticipant InlineBotCallbackQuery ManagedBot"
        " MessagePollVote NewBotConnection EphemeralBotCallbackQuery NewEphemeralMessage"
        " EditEphemeralMessage DeleteEphemeralMessages"
    ).split()
)
