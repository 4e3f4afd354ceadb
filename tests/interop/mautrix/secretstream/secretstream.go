// Package secretstream stands for https://github.com/openziti/secretstream, which the module proxy does not
// have. Files are not part of the tests.
package secretstream

import "errors"

const (
	TagMessage = 0
	TagFinal   = 3
)

var errStub = errors.New("files are not part of the tests")

type Encryptor interface {
	Push(plain []byte, tag byte) ([]byte, error)
}

type Decryptor interface {
	Pull(sealed []byte) ([]byte, byte, error)
}

func NewEncryptor(key []byte) (Encryptor, []byte, error) { return nil, nil, errStub }

func NewDecryptor(key, header []byte) (Decryptor, error) { return nil, errStub }
