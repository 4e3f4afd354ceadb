package main

// A store in memory: what whatsmeow keeps of an account, without a database driver to build.

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

type outgoing struct {
	format string
	text   []byte
}

// memory answers "nothing is kept" (NoopStore without an error) for what it does not define.
type memory struct {
	store.NoopStore
	lock       sync.Mutex
	identities map[string][32]byte
	sessions   map[string][]byte
	preKeys    map[uint32]*keys.PreKey
	nextKey    uint32
	uploaded   uint32
	senderKeys map[string][]byte
	secrets    map[string][]byte
	tokens     map[types.JID]store.PrivacyToken
	salt       []byte
	lids       map[string]string // phone number -> LID, by user
	phones     map[string]string
	sent       map[string]outgoing
}

func newMemory() *memory {
	return &memory{
		identities: map[string][32]byte{}, sessions: map[string][]byte{}, preKeys: map[uint32]*keys.PreKey{},
		nextKey: 1, senderKeys: map[string][]byte{}, secrets: map[string][]byte{},
		tokens: map[types.JID]store.PrivacyToken{}, lids: map[string]string{}, phones: map[string]string{},
		sent: map[string]outgoing{},
	}
}

// forget deletes what is kept of all devices of a user, by their addresses.
func forget[V any](kept map[string]V, user string) {
	maps.DeleteFunc(kept, func(address string, _ V) bool { return strings.HasPrefix(address, user+":") })
}

// rename moves what is kept under addresses that begin with from to those that begin with to.
func rename[V any](kept map[string]V, from, to string) {
	for address, value := range kept {
		if rest, ok := strings.CutPrefix(address, from); ok {
			kept[to+rest] = value
			delete(kept, address)
		}
	}
}

func (m *memory) PutIdentity(_ context.Context, address string, key [32]byte) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.identities[address] = key
	return nil
}

func (m *memory) DeleteIdentity(_ context.Context, address string) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	delete(m.identities, address)
	return nil
}

func (m *memory) DeleteAllIdentities(_ context.Context, phone string) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	forget(m.identities, phone)
	return nil
}

func (m *memory) IsTrustedIdentity(_ context.Context, address string, key [32]byte) (bool, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	known, ok := m.identities[address]
	return !ok || known == key, nil
}

func (m *memory) GetSession(_ context.Context, address string) ([]byte, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.sessions[address], nil
}

func (m *memory) HasSession(_ context.Context, address string) (bool, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	_, ok := m.sessions[address]
	return ok, nil
}

func (m *memory) GetManySessions(_ context.Context, addresses []string) (map[string][]byte, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	found := map[string][]byte{}
	for _, address := range addresses {
		found[address] = m.sessions[address]
	}
	return found, nil
}

func (m *memory) PutSession(_ context.Context, address string, session []byte) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.sessions[address] = session
	return nil
}

func (m *memory) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	for address, session := range sessions {
		_ = m.PutSession(ctx, address, session)
	}
	return nil
}

func (m *memory) DeleteSession(_ context.Context, address string) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	delete(m.sessions, address)
	return nil
}

func (m *memory) DeleteAllSessions(_ context.Context, phone string) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	forget(m.sessions, phone)
	return nil
}

func (m *memory) MigratePNToLID(_ context.Context, pn, lid types.JID) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	from, to := pn.SignalAddressUser()+":", lid.SignalAddressUser()+":"
	rename(m.sessions, from, to)
	rename(m.identities, from, to)
	for name, key := range m.senderKeys {
		group, address, _ := strings.Cut(name, "|")
		if rest, ok := strings.CutPrefix(address, from); ok {
			m.senderKeys[group+"|"+to+rest] = key
			delete(m.senderKeys, name)
		}
	}
	return nil
}

func (m *memory) newKey() *keys.PreKey {
	key := keys.NewPreKey(m.nextKey)
	m.preKeys[m.nextKey] = key
	m.nextKey++
	return key
}

func (m *memory) GetOrGenPreKeys(_ context.Context, count uint32) ([]*keys.PreKey, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	var found []*keys.PreKey
	for id := m.uploaded + 1; id < m.nextKey && uint32(len(found)) < count; id++ {
		if key := m.preKeys[id]; key != nil {
			found = append(found, key)
		}
	}
	for uint32(len(found)) < count {
		found = append(found, m.newKey())
	}
	return found, nil
}

func (m *memory) GenOnePreKey(_ context.Context) (*keys.PreKey, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	key := m.newKey()
	m.uploaded = key.KeyID
	return key, nil
}

func (m *memory) GetPreKey(_ context.Context, id uint32) (*keys.PreKey, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.preKeys[id], nil
}

func (m *memory) RemovePreKey(_ context.Context, id uint32) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	delete(m.preKeys, id)
	return nil
}

func (m *memory) MarkPreKeysAsUploaded(_ context.Context, upTo uint32) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.uploaded = max(m.uploaded, upTo)
	return nil
}

func (m *memory) UploadedPreKeyCount(_ context.Context) (int, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	count := 0
	for id := range m.preKeys {
		if id <= m.uploaded {
			count++
		}
	}
	return count, nil
}

func (m *memory) PutSenderKey(_ context.Context, group, user string, key []byte) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.senderKeys[group+"|"+user] = key
	return nil
}

func (m *memory) GetSenderKey(_ context.Context, group, user string) ([]byte, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.senderKeys[group+"|"+user], nil
}

func secretName(chat, sender types.JID, id types.MessageID) string {
	return chat.ToNonAD().String() + "|" + sender.ToNonAD().String() + "|" + id
}

func (m *memory) PutMessageSecret(_ context.Context, chat, sender types.JID, id types.MessageID, secret []byte) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.secrets[secretName(chat, sender, id)] = secret
	return nil
}

func (m *memory) PutMessageSecrets(ctx context.Context, inserts []store.MessageSecretInsert) error {
	for _, insert := range inserts {
		_ = m.PutMessageSecret(ctx, insert.Chat, insert.Sender, insert.ID, insert.Secret)
	}
	return nil
}

func (m *memory) GetMessageSecret(_ context.Context, chat, sender types.JID, id types.MessageID) ([]byte, types.JID, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.secrets[secretName(chat, sender, id)], sender, nil
}

func (m *memory) PutPrivacyTokens(_ context.Context, tokens ...store.PrivacyToken) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, token := range tokens {
		m.tokens[token.User.ToNonAD()] = token
	}
	return nil
}

func (m *memory) GetPrivacyToken(_ context.Context, user types.JID) (*store.PrivacyToken, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if token, ok := m.tokens[user.ToNonAD()]; ok {
		return &token, nil
	}
	return nil, nil
}

func (m *memory) DeleteExpiredPrivacyTokens(context.Context, time.Time) (int64, error) { return 0, nil }

func (m *memory) PutNCTSalt(_ context.Context, salt []byte) error { m.salt = salt; return nil }
func (m *memory) GetNCTSalt(context.Context) ([]byte, error)      { return m.salt, nil }
func (m *memory) DeleteNCTSalt(context.Context) error             { m.salt = nil; return nil }

func (m *memory) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	return fn(ctx)
}

func (m *memory) AddOutgoingEvent(_ context.Context, chat types.JID, id types.MessageID, format string, text []byte) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.sent[chat.String()+"|"+id] = outgoing{format, text}
	return nil
}

func (m *memory) GetOutgoingEvent(_ context.Context, chat, alt types.JID, id types.MessageID) (string, []byte, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, jid := range []types.JID{chat, alt} {
		if kept, ok := m.sent[jid.String()+"|"+id]; ok {
			return kept.format, kept.text, nil
		}
	}
	return "", nil, nil
}

func (m *memory) PutLIDMapping(_ context.Context, lid, pn types.JID) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.lids[pn.User], m.phones[lid.User] = lid.User, pn.User
	return nil
}

func (m *memory) PutManyLIDMappings(ctx context.Context, mappings []store.LIDMapping) error {
	for _, mapping := range mappings {
		_ = m.PutLIDMapping(ctx, mapping.LID, mapping.PN)
	}
	return nil
}

func (m *memory) GetLIDForPN(_ context.Context, pn types.JID) (types.JID, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if user, ok := m.lids[pn.User]; ok {
		return types.JID{User: user, Device: pn.Device, Server: types.HiddenUserServer}, nil
	}
	return types.EmptyJID, nil
}

func (m *memory) GetPNForLID(_ context.Context, lid types.JID) (types.JID, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if user, ok := m.phones[lid.User]; ok {
		return types.JID{User: user, Device: lid.Device, Server: types.DefaultUserServer}, nil
	}
	return types.EmptyJID, nil
}

func (m *memory) GetManyLIDsForPNs(ctx context.Context, pns []types.JID) (map[types.JID]types.JID, error) {
	found := map[types.JID]types.JID{}
	for _, pn := range pns {
		if lid, _ := m.GetLIDForPN(ctx, pn); !lid.IsEmpty() {
			found[pn] = lid
		}
	}
	return found, nil
}
