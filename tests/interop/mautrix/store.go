package main

import (
	"context"
	"sync"

	"go.mau.fi/mautrix-twitter/pkg/twittermeow/crypto"
)

// keyStore keeps keys in memory.
type keyStore struct {
	mu     sync.Mutex
	keys   map[string]*crypto.ConversationKey
	latest map[string]*crypto.ConversationKey
	public map[string]*crypto.PublicKeyInfo
	tokens map[string]string
	own    *crypto.SigningKeyPair
}

func newKeyStore() *keyStore {
	return &keyStore{
		keys:   map[string]*crypto.ConversationKey{},
		latest: map[string]*crypto.ConversationKey{},
		public: map[string]*crypto.PublicKeyInfo{},
		tokens: map[string]string{},
	}
}

func (s *keyStore) GetConversationKey(_ context.Context, id, version string) (*crypto.ConversationKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[id+" "+version], nil
}

func (s *keyStore) PutConversationKey(_ context.Context, key *crypto.ConversationKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[key.ConversationID+" "+key.KeyVersion] = key
	known := s.latest[key.ConversationID]
	if known == nil || len(key.KeyVersion) > len(known.KeyVersion) || key.KeyVersion > known.KeyVersion {
		s.latest[key.ConversationID] = key
	}
	return nil
}

func (s *keyStore) DeleteConversationKey(_ context.Context, id, version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, id+" "+version)
	return nil
}

func (s *keyStore) GetLatestConversationKey(_ context.Context, id string) (*crypto.ConversationKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest[id], nil
}

func (s *keyStore) GetOwnSigningKey(context.Context) (*crypto.SigningKeyPair, error) {
	return s.own, nil
}

func (s *keyStore) PutOwnSigningKey(_ context.Context, key *crypto.SigningKeyPair) error {
	s.own = key
	return nil
}

func (s *keyStore) GetPublicKey(_ context.Context, user, version string) (*crypto.PublicKeyInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.public[user+" "+version], nil
}

func (s *keyStore) PutPublicKey(_ context.Context, key *crypto.PublicKeyInfo) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.public[key.UserID+" "+key.KeyVersion] = key
	return nil
}

func (s *keyStore) GetConversationToken(_ context.Context, id string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[id], nil
}

func (s *keyStore) PutConversationToken(_ context.Context, id, token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[id] = token
	return nil
}
