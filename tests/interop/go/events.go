package main

import (
	"fmt"
	"os"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
)

type stderrLog struct{}

func (stderrLog) Warnf(text string, values ...any) {
	fmt.Fprintf(os.Stderr, "WARN "+text+"\n", values...)
}
func (stderrLog) Errorf(text string, values ...any) {
	fmt.Fprintf(os.Stderr, "ERROR "+text+"\n", values...)
}
func (stderrLog) Infof(text string, values ...any) {
	fmt.Fprintf(os.Stderr, "INFO "+text+"\n", values...)
}
func (stderrLog) Debugf(text string, values ...any) { fmt.Fprintf(os.Stderr, text+"\n", values...) }
func (l stderrLog) Sub(string) waLog.Logger         { return l }

func (p *peer) event(event any) {
	switch e := event.(type) {
	case *events.QR:
		tell(object{"event": "qr", "codes": e.Codes})
	case *events.PairSuccess:
		tell(object{"event": "paired", "jid": e.ID.String(), "lid": e.LID.String(),
			"lid_addressed": e.Props.GetIsChatDbLidMigrated()})
	case *events.PairError:
		tell(object{"event": "pair_error", "error": e.Error.Error()})
	case *events.Connected:
		tell(object{"event": "open", "jid": p.client.Store.ID.String(), "lid": p.client.Store.LID.String()})
	case *events.Disconnected:
		tell(object{"event": "closed"})
	case *events.LoggedOut:
		tell(object{"event": "closed", "error": "logged_out", "reason": int(e.Reason)})
	case *events.StreamReplaced:
		tell(object{"event": "closed", "error": "replaced"})
	case *events.TemporaryBan:
		tell(object{"event": "closed", "error": "banned", "expire": e.Expire.Seconds()})
	case *events.ConnectFailure:
		tell(object{"event": "closed", "error": "failure", "reason": int(e.Reason)})
	case *events.Message:
		p.message(e)
	case *events.UndecryptableMessage:
		tell(object{"event": "undecryptable", "id": e.Info.ID, "from": e.Info.Sender.String()})
	case *events.Receipt:
		tell(object{"event": "receipt", "ids": e.MessageIDs, "type": string(e.Type), "chat": e.Chat.String(),
			"from": e.Sender.String()})
	case *events.ChatPresence:
		tell(object{"event": "typing", "from": e.Sender.String(), "state": string(e.State)})
	case *events.GroupInfo:
		tell(object{"event": "group", "id": e.JID.String(), "joined": len(e.Join), "left": len(e.Leave)})
	case *events.JoinedGroup:
		tell(object{"event": "joined", "id": e.JID.String(), "subject": e.Name})
	}
}

// attached returns the media of a message: what it is called here, and what downloads it.
func attached(m *waE2E.Message) (string, whatsmeow.DownloadableMessage) {
	switch {
	case m.ImageMessage != nil:
		return "image", m.ImageMessage
	case m.VideoMessage != nil:
		return "video", m.VideoMessage
	case m.AudioMessage != nil:
		if m.AudioMessage.GetPTT() {
			return "voice", m.AudioMessage
		}
		return "audio", m.AudioMessage
	case m.DocumentMessage != nil:
		return "document", m.DocumentMessage
	case m.StickerMessage != nil:
		return "sticker", m.StickerMessage
	}
	return "", nil
}

func quoting(m *waE2E.Message) *waE2E.ContextInfo {
	for _, part := range []interface{ GetContextInfo() *waE2E.ContextInfo }{
		m.GetExtendedTextMessage(), m.GetImageMessage(), m.GetVideoMessage(), m.GetAudioMessage(),
		m.GetDocumentMessage(), m.GetStickerMessage(), m.GetLocationMessage(), m.GetContactMessage(),
	} {
		if found := part.GetContextInfo(); found != nil {
			return found
		}
	}
	return nil
}

func (p *peer) message(e *events.Message) {
	m := e.Message
	told := object{"event": "message", "id": e.Info.ID, "chat": e.Info.Chat.String(), "from": e.Info.Sender.String(),
		"from_me": e.Info.IsFromMe, "name": e.Info.PushName, "kind": "text"}
	if alt := e.Info.SenderAlt; !alt.IsEmpty() {
		told["from_alt"] = alt.String()
	}
	if m.Conversation != nil {
		told["text"] = m.GetConversation()
	} else if m.ExtendedTextMessage != nil {
		told["text"] = m.GetExtendedTextMessage().GetText()
	}
	if context := quoting(m); context != nil {
		told["quoted"], told["mentions"], told["timer"] = context.GetStanzaID(), context.GetMentionedJID(), context.GetExpiration()
	}
	if kind, media := attached(m); media != nil {
		p.media.Store(e.Info.ID, media)
		told["kind"] = kind
		if captioned, ok := media.(interface{ GetCaption() string }); ok {
			told["text"] = captioned.GetCaption()
		}
	}
	switch {
	case m.ReactionMessage != nil:
		told["kind"], told["text"], told["target"] = "reaction", m.ReactionMessage.GetText(), m.ReactionMessage.GetKey().GetID()
	case m.LocationMessage != nil:
		told["kind"], told["latitude"] = "location", m.LocationMessage.GetDegreesLatitude()
		told["longitude"] = m.LocationMessage.GetDegreesLongitude()
	case m.ContactMessage != nil:
		told["kind"], told["text"] = "contact", m.ContactMessage.GetVcard()
	case m.ProtocolMessage != nil:
		told["target"] = m.ProtocolMessage.GetKey().GetID()
		switch m.ProtocolMessage.GetType() {
		case waE2E.ProtocolMessage_REVOKE:
			told["kind"] = "revoke"
		case waE2E.ProtocolMessage_MESSAGE_EDIT:
			told["kind"] = "edit"
			told["text"] = m.ProtocolMessage.GetEditedMessage().GetConversation()
			if told["text"] == "" {
				told["text"] = m.ProtocolMessage.GetEditedMessage().GetExtendedTextMessage().GetText()
			}
		default:
			told["kind"] = m.ProtocolMessage.GetType().String()
		}
	}
	if told["kind"] == "text" && told["text"] == nil {
		told["kind"] = "other" // a sender key, or a kind that is not told of here
	}
	tell(told)
}
