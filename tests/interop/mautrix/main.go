// The client of mautrix-twitter (https://github.com/mautrix/twitter, AGPL-3.0, not part of this repository)
// as a browser of X. Takes orders and tells events as JSON lines; see tests/interop/test_x_web.py.
//
// usage: program WEB-URL SOCKET-URL COOKIES
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"go.mau.fi/mautrix-twitter/pkg/juiceboxgo"
	"go.mau.fi/mautrix-twitter/pkg/twittermeow"
	"go.mau.fi/mautrix-twitter/pkg/twittermeow/cookies"
	"go.mau.fi/mautrix-twitter/pkg/twittermeow/crypto"
	"go.mau.fi/mautrix-twitter/pkg/twittermeow/data/payload"
	"go.mau.fi/mautrix-twitter/pkg/twittermeow/data/response"
	"go.mau.fi/mautrix-twitter/pkg/twittermeow/data/types"
)

var (
	out     = json.NewEncoder(os.Stdout)
	outLock sync.Mutex
)

func tell(fields map[string]any) {
	outLock.Lock()
	defer outLock.Unlock()
	_ = out.Encode(fields)
}

// rewriting sends what is for a host of X to the sandbox.
type rewriting struct {
	web, socket *url.URL
	next        http.RoundTripper
}

func (r *rewriting) RoundTrip(request *http.Request) (*http.Response, error) {
	at := r.web
	if strings.HasPrefix(request.URL.Host, "chat-ws.") {
		at = r.socket
	} else if !strings.HasSuffix(request.URL.Host, "x.com") {
		at = request.URL
	}
	sent := request.Clone(request.Context())
	sent.URL.Scheme, sent.URL.Host, sent.Host = strings.Replace(at.Scheme, "ws", "http", 1), at.Host, at.Host
	return r.next.RoundTrip(sent)
}

type order struct {
	N            int    `json:"n"`
	Do           string `json:"do"`
	Passcode     string `json:"passcode"`
	Conversation string `json:"conversation"`
	Text         string `json:"text"`
	Target       string `json:"target"`
	Emoji        string `json:"emoji"`
	Removed      bool   `json:"removed"`
}

type peer struct {
	client *twittermeow.Client
	store  *keyStore
}

func (p *peer) obey(ctx context.Context, o order) (any, error) {
	switch o.Do {
	case "unlock":
		return p.unlock(ctx, o.Passcode)
	case "connect":
		return nil, p.connect(ctx)
	case "text":
		answer, err := p.client.SendEncryptedMessage(ctx, twittermeow.SendEncryptedMessageOpts{
			ConversationID: o.Conversation, Text: o.Text,
		})
		return sent(answer, err)
	case "react":
		answer, err := p.client.SendEncryptedReaction(ctx, o.Conversation, o.Target, o.Emoji, o.Removed)
		return sent(answer, err)
	case "edit":
		answer, err := p.client.SendEncryptedEdit(ctx, twittermeow.SendEncryptedEditOpts{
			ConversationID: o.Conversation, TargetMessageSequenceID: o.Target, UpdatedText: o.Text,
		})
		return sent(answer, err)
	case "classic":
		page, err := p.client.SendDirectMessage(ctx, &payload.SendDirectMessagePayload{
			ConversationID: o.Conversation, Text: o.Text, CardsPlatform: "Web-12", IncludeCards: 1,
		})
		return entries(page), err
	case "classic_inbox":
		query := (&payload.DMRequestQuery{}).Default()
		found, err := p.client.GetInitialInboxState(ctx, &query)
		if err != nil {
			return nil, err
		}
		p.client.GetSession().PollingCursor = found.InboxInitialState.Cursor
		return entries(found.InboxInitialState), nil
	case "classic_updates":
		query := (&payload.DMRequestQuery{}).Default()
		query.Cursor = p.client.GetSession().PollingCursor
		found, err := p.client.GetDMUserUpdates(ctx, &query)
		if err != nil {
			return nil, err
		}
		p.client.GetSession().PollingCursor = found.UserEvents.Cursor
		return entries(found.UserEvents), nil
	case "classic_accept":
		return nil, p.client.AcceptConversation(ctx, o.Conversation)
	case "classic_read":
		return nil, p.client.MarkConversationRead(ctx, &payload.MarkConversationReadQuery{
			ConversationID: o.Conversation, LastReadEventID: o.Target,
		})
	}
	return nil, errors.New("no such order")
}

// unlock recovers the account's private keys from the realms.
func (p *peer) unlock(ctx context.Context, passcode string) (any, error) {
	me := p.client.GetCurrentUserID()
	found, err := p.client.GetPublicKeys(ctx, []string{me})
	if err != nil {
		return nil, err
	}
	keys := found.Data.UserResultsByRestIDs[0].Result.GetPublicKeys.PublicKeysWithTokenMap
	newest := keys[len(keys)-1]
	config, err := juiceboxgo.ConfigurationFromJSON(newest.TokenMap.KeyStoreTokenMapJSON)
	if err != nil {
		return nil, err
	}
	tokens := map[string]juiceboxgo.AuthToken{}
	for _, entry := range newest.TokenMap.TokenMap {
		tokens[strings.ToLower(entry.Key)] = juiceboxgo.AuthToken(entry.Value.Token)
	}
	client, err := juiceboxgo.NewClient(config, tokens, nil, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	secret, err := client.Recover(ctx, []byte(passcode), []byte(""))
	if err != nil {
		return nil, err
	}
	decrypt := base64.StdEncoding.EncodeToString(secret[:32])
	signing := base64.StdEncoding.EncodeToString(secret[32:])
	version := newest.PublicKeyWithMetadata.Version
	pair, err := crypto.LoadSigningKeyPair(me, version, signing, decrypt)
	if err != nil {
		return nil, err
	}
	spki, err := crypto.EncodePublicKeySPKI(&pair.SigningKey.PublicKey)
	if err != nil {
		return nil, err
	}
	p.store.own = pair
	return map[string]any{
		"version": version,
		"same":    spki == newest.PublicKeyWithMetadata.PublicKey.SigningPublicKey,
	}, nil
}

// connect opens the chat socket, and reads the inbox before what the socket brings.
func (p *peer) connect(ctx context.Context) error {
	p.client.SetEventHandler(func(types.TwitterEvent, *response.TwitterInboxData) bool { return true }, nil, nil)
	processor := p.client.GetXChatProcessor()
	p.client.SetXChatEventHandler(func(_ context.Context, event types.TwitterEvent) bool {
		raw, _ := json.Marshal(event)
		tell(map[string]any{"event": strings.TrimPrefix(fmt.Sprintf("%T", event), "*types."), "is": json.RawMessage(raw)})
		return true
	})
	p.client.SetXChatConnectHandler(func(ctx context.Context) error {
		page, err := p.client.GetInitialXChatPage(ctx, payload.NewInitialXChatPageQueryVariables(""))
		if err != nil {
			return err
		}
		for i := range page.Data.GetInboxPage.Items {
			item := &page.Data.GetInboxPage.Items[i]
			if err := processor.ProcessKeyChangeEvents(ctx, item); err != nil {
				return err
			}
			if err := processor.ProcessMessageAndReadEvents(ctx, item); err != nil {
				return err
			}
		}
		tell(map[string]any{"event": "caught_up", "items": len(page.Data.GetInboxPage.Items)})
		return nil
	})
	return p.client.StartXChatWebsocket(ctx)
}

func sent(answer *response.SendMessageMutationResponse, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	event, err := twittermeow.DecodeMessageEvent(answer.Data.XChatSendCreateMessageEvent.EncodedMessageEvent)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": event.MessageId, "sequence": event.SequenceId}, nil
}

func entries(page *response.TwitterInboxData) []map[string]any {
	told := []map[string]any{}
	if page == nil {
		return told
	}
	for _, raw := range page.Entries {
		event, unknown, err := raw.Parse()
		kind := strings.TrimPrefix(fmt.Sprintf("%T", event), "*types.")
		told = append(told, map[string]any{"kind": kind, "is": event, "unknown": unknown, "failed": err != nil})
	}
	return told
}

func main() {
	web, _ := url.Parse(os.Args[1])
	socket, _ := url.Parse(os.Args[2])
	http.DefaultTransport = &rewriting{web, socket, http.DefaultTransport.(*http.Transport).Clone()}
	ctx := context.Background()
	store := newKeyStore()
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	client := twittermeow.NewClient(cookies.NewCookiesFromString(os.Args[3]), store, log)
	p := &peer{client, store}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			panic(err)
		}
		result, err := p.obey(ctx, o)
		if err != nil {
			tell(map[string]any{"n": o.N, "error": err.Error()})
			continue
		}
		tell(map[string]any{"n": o.N, "result": result})
	}
}
