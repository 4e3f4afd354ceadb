// The whatsmeow peer of the WhatsApp device tests: a client that takes orders as JSON lines on standard input
// and tells answers and events as JSON lines on standard output. Its only trust anchor is the relay's key and
// each of its connections goes to the relay.
//
// usage: peer WEBSOCKET_URL ROOT_KEY_HEX MEDIA_URL DIRECTORY (nothing is kept in it)
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"go.mau.fi/util/random"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"
)

type object = map[string]any

var (
	writing sync.Mutex
	out     = os.Stdout
)

func tell(what object) {
	line, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	writing.Lock()
	defer writing.Unlock()
	out.Write(append(line, '\n'))
}

// toRelay sends each request to the address of the relay, over plain HTTP.
type toRelay struct{ host string }

func (t toRelay) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.URL.Scheme, request.URL.Host, request.Host = "http", t.host, t.host
	return http.DefaultTransport.RoundTrip(request)
}

func clientTo(address string) *http.Client {
	parsed, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return &http.Client{Transport: toRelay{parsed.Host}}
}

type container struct{}

func (container) PutDevice(context.Context, *store.Device) error    { return nil }
func (container) DeleteDevice(context.Context, *store.Device) error { return nil }

func newDevice(memory *memory) *store.Device {
	device := &store.Device{
		Log: waLog.Noop, NoiseKey: keys.NewKeyPair(), IdentityKey: keys.NewKeyPair(),
		RegistrationID: rand.Uint32(), AdvSecretKey: random.Bytes(32), Container: container{}, LIDs: memory,
		PushName: "whatsmeow",
	}
	device.SignedPreKey = device.IdentityKey.CreateSignedPreKey(1)
	device.SetAllStores(memory)
	device.Initialized = true
	return device
}

type order struct {
	N        int      `json:"n"`
	Do       string   `json:"do"`
	To       string   `json:"to"`
	From     string   `json:"from"`
	ID       string   `json:"id"`
	IDs      []string `json:"ids"`
	Text     string   `json:"text"`
	Phone    string   `json:"phone"`
	Kind     string   `json:"kind"`
	Path     string   `json:"path"`
	Subject  string   `json:"subject"`
	Members  []string `json:"members"`
	Mentions []string `json:"mentions"`
	Quoted   *struct {
		ID   string `json:"id"`
		From string `json:"from"`
		Text string `json:"text"`
	} `json:"quoted"`
}

type peer struct {
	client *whatsmeow.Client
	memory *memory
	media  sync.Map // message id -> whatsmeow.DownloadableMessage
}

func main() {
	key, err := hex.DecodeString(os.Args[2])
	if err != nil || copy(whatsmeow.WACertPubKey[:], key) != len(whatsmeow.WACertPubKey) {
		panic("the root key must be 32 bytes in hexadecimal")
	}
	os.Stdout = os.Stderr // the Signal library logs there
	memory := newMemory()
	log := waLog.Noop
	if os.Getenv("PEER_LOG") != "" {
		log = stderrLog{}
	}
	p := &peer{client: whatsmeow.NewClient(newDevice(memory), log), memory: memory}
	p.client.SetWebsocketHTTPClient(clientTo(os.Args[1]))
	p.client.SetPreLoginHTTPClient(clientTo(os.Args[1]))
	p.client.SetMediaHTTPClient(clientTo(os.Args[3]))
	p.client.AddEventHandler(p.event)
	if err := p.client.Connect(); err != nil {
		tell(object{"event": "closed", "error": err.Error()})
		os.Exit(1)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			panic(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
		answer, err := p.obey(ctx, o)
		cancel()
		if err != nil {
			tell(object{"n": o.N, "error": err.Error()})
		} else {
			tell(object{"n": o.N, "result": answer})
		}
	}
}

func jid(text string) types.JID {
	parsed, err := types.ParseJID(text)
	if err != nil {
		panic(err)
	}
	return parsed
}

func (p *peer) send(ctx context.Context, o order, message *waE2E.Message) (any, error) {
	sent, err := p.client.SendMessage(ctx, jid(o.To), message)
	return object{"id": sent.ID}, err
}

func (p *peer) obey(ctx context.Context, o order) (any, error) {
	switch o.Do {
	case "code":
		return p.client.PairPhone(ctx, o.Phone, true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	case "text":
		return p.send(ctx, o, text(o))
	case "media":
		return p.sendMedia(ctx, o)
	case "react":
		return p.send(ctx, o, p.client.BuildReaction(jid(o.To), jid(o.From), o.ID, o.Text))
	case "edit":
		return p.send(ctx, o, p.client.BuildEdit(jid(o.To), o.ID, &waE2E.Message{Conversation: proto.String(o.Text)}))
	case "revoke":
		return p.send(ctx, o, p.client.BuildRevoke(jid(o.To), types.EmptyJID, o.ID))
	case "read":
		return nil, p.client.MarkRead(ctx, o.IDs, time.Now(), jid(o.To), jid(o.From))
	case "available":
		return nil, p.client.SendPresence(ctx, types.PresenceAvailable)
	case "group":
		request := whatsmeow.ReqCreateGroup{Name: o.Subject}
		for _, member := range o.Members {
			request.Participants = append(request.Participants, jid(member))
		}
		group, err := p.client.CreateGroup(ctx, request)
		if err != nil {
			return nil, err
		}
		return object{"id": group.JID.String()}, nil
	case "download":
		return p.download(ctx, o)
	case "forget": // the Signal sessions with one user, as after a loss of data
		user := jid(o.To).User
		return nil, p.memory.DeleteAllSessions(ctx, user)
	case "tokens":
		return len(p.memory.tokens), nil
	case "disconnect":
		p.client.Disconnect()
		return nil, nil
	case "connect":
		return nil, p.client.Connect()
	}
	return nil, fmt.Errorf("unknown order %q", o.Do)
}

func text(o order) *waE2E.Message {
	if o.Quoted == nil && len(o.Mentions) == 0 {
		return &waE2E.Message{Conversation: proto.String(o.Text)}
	}
	quoting := &waE2E.ContextInfo{MentionedJID: o.Mentions}
	if o.Quoted != nil {
		quoting.StanzaID = proto.String(o.Quoted.ID)
		quoting.Participant = proto.String(o.Quoted.From)
		quoting.QuotedMessage = &waE2E.Message{Conversation: proto.String(o.Quoted.Text)}
	}
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(o.Text), ContextInfo: quoting}}
}

var mediaTypes = map[string]whatsmeow.MediaType{
	"image": whatsmeow.MediaImage, "video": whatsmeow.MediaVideo, "audio": whatsmeow.MediaAudio,
	"voice": whatsmeow.MediaAudio, "document": whatsmeow.MediaDocument, "sticker": whatsmeow.MediaImage,
}

func (p *peer) sendMedia(ctx context.Context, o order) (any, error) {
	data, err := os.ReadFile(o.Path)
	if err != nil {
		return nil, err
	}
	up, err := p.client.Upload(ctx, data, mediaTypes[o.Kind])
	if err != nil {
		return nil, err
	}
	size := proto.Uint64(uint64(len(data)))
	var message waE2E.Message
	switch o.Kind {
	case "image":
		message.ImageMessage = &waE2E.ImageMessage{URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey,
			FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: size,
			Mimetype: proto.String("image/jpeg"), Caption: proto.String(o.Text)}
	case "video":
		message.VideoMessage = &waE2E.VideoMessage{URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey,
			FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: size,
			Mimetype: proto.String("video/mp4"), Caption: proto.String(o.Text)}
	case "audio", "voice":
		message.AudioMessage = &waE2E.AudioMessage{URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey,
			FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: size,
			Mimetype: proto.String("audio/ogg; codecs=opus"), PTT: proto.Bool(o.Kind == "voice"), Seconds: proto.Uint32(3)}
	case "document":
		message.DocumentMessage = &waE2E.DocumentMessage{URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey,
			FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: size,
			Mimetype: proto.String("application/pdf"), FileName: proto.String("paper.pdf")}
	case "sticker":
		message.StickerMessage = &waE2E.StickerMessage{URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey,
			FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: size,
			Mimetype: proto.String("image/webp")}
	default:
		return nil, fmt.Errorf("unknown kind %q", o.Kind)
	}
	return p.send(ctx, o, &message)
}

func (p *peer) download(ctx context.Context, o order) (any, error) {
	kept, ok := p.media.Load(o.ID)
	if !ok {
		return nil, fmt.Errorf("no media with the message %s", o.ID)
	}
	data, err := p.client.Download(ctx, kept.(whatsmeow.DownloadableMessage))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return object{"sha256": hex.EncodeToString(sum[:]), "size": len(data)}, nil
}
